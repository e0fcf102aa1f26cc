import type { Choice, CopilotEndpoint, CopilotExchange, Counted, HeaderList } from '../addon.ts';
import type { Asked } from './request.ts';

/** What is looked at to say what an exchange counts as. */
export interface Evidence {
  readonly endpoint: CopilotEndpoint;
  readonly headers: HeaderList;
  readonly asked: Asked;
  /** `user` or `agent`, by header or frame. */
  readonly initiator: string | undefined;
  readonly model: string | undefined;
  readonly choices: readonly Choice[];
  readonly outcome: CopilotExchange['outcome'];
}

/**
 * Says what an exchange counts as, and why: first by what its headers say, by its body where they are silent. The rules
 * were read in the sources of editors, and off what they send.
 *
 * A user's question is not simply what has `X-Initiator: user`: with each, some editors ask for suggestions of what to
 * ask next, by the same user in the same interaction.
 */
export function classify(evidence: Evidence): Counted {
  const { outcome, endpoint, choices } = evidence;
  if (outcome === 'failed') return { as: 'nothing', reason: 'it failed' };
  const isSeen = choices.some(({ text, toolCalls }) => text !== '' || toolCalls.length > 0);
  if (outcome === 'cancelled' && !isSeen)
    return { as: 'nothing', reason: 'the client hung up before there was an answer' };
  return endpoint === 'completions' ? classifyCompletion(evidence) : classifyChat(evidence);
}

function classifyCompletion({ headers, model, choices, outcome }: Evidence): Counted {
  if (headers.get('x-copilot-speculative') === 'true')
    return { as: 'speculative', reason: 'X-Copilot-Speculative: asked for before it could be shown' };
  if (isNextEditModel(model)) return { as: 'nextEdit', reason: `the model is ${model}` };
  if (outcome === 'cancelled') return { as: 'nothing', reason: 'the client hung up before it was finished' };
  if (choices.every(({ text }) => text === '')) return { as: 'nothing', reason: 'the completion has no text' };
  return { as: 'completion', reason: 'a completion with text' };
}

function classifyChat({ endpoint, headers, asked, initiator, model }: Evidence): Counted {
  if (endpoint === 'agents') return classifyAgent(asked);
  const extension = headers.get('x-onbehalf-extension-id');
  if (extension !== undefined) return { as: 'extension', reason: 'X-OnBehalf-Extension-Id: another extension asked' };
  const byType = BY_INTERACTION_TYPE.get(headers.get('x-interaction-type') ?? '');
  if (byType !== undefined) return byType;
  if (asked.forcedTool !== undefined)
    return { as: 'background', reason: 'the answer has to be a call of one tool: nobody reads it' };
  if (isNextEditModel(model)) return { as: 'nextEdit', reason: `the model is ${model}` };
  if (initiator === 'agent') return classifyByAgent(asked, model);
  if (asked.last === 'tool') return { as: 'step', reason: 'the last word is the result of a tool' };
  if (initiator === 'user') return { as: 'turn', reason: 'initiator user' };
  return classifyByBody(asked);
}

/** What is asked of `/agents/` by chat is an extension's to answer; jobs and sessions of agents are run there as well. */
function classifyAgent(asked: Asked): Counted {
  if (asked.last === 'none') return { as: 'nothing', reason: 'nothing was said to the agent' };
  return { as: 'extension', reason: 'a Copilot extension was asked' };
}

/** What is asked without the user: the next step, or something on the side. */
function classifyByAgent({ hasNewResults, hasPrediction }: Asked, model: string | undefined): Counted {
  if (hasNewResults) return { as: 'step', reason: 'initiator agent, after the result of a tool' };
  if (model?.includes('instant-apply') === true)
    return { as: 'background', reason: `the model is ${model}: an edit is applied` };
  if (hasPrediction) return { as: 'nextEdit', reason: 'initiator agent, with a prediction' };
  return { as: 'background', reason: 'initiator agent, and no result of a tool' };
}

/** Where no header says who asks: older editors, and the CLI. */
function classifyByBody(asked: Asked): Counted {
  if (asked.hasStop) return { as: 'background', reason: 'asks with "stop"' };
  if (asked.last === 'user' || asked.last === 'none') return { as: 'turn', reason: 'the last word is the user’s' };
  return { as: 'background', reason: 'the last word is not the user’s' };
}

const BY_INTERACTION_TYPE: ReadonlyMap<string, Counted> = new Map([
  ['conversation-subagent', { as: 'subagent', reason: 'X-Interaction-Type: conversation-subagent' }],
  ['conversation-background', { as: 'background', reason: 'X-Interaction-Type: conversation-background' }],
  ['git-commit', { as: 'commitMessage', reason: 'X-Interaction-Type: git-commit' }],
]);

/** Models that suggest the next edit are named so. */
function isNextEditModel(model: string | undefined): boolean {
  return model !== undefined && /(^|-)nes(-|$)|xtab/i.test(model);
}
