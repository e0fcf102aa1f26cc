import type { Answer, FlowError } from '../addon.ts';
import { codeOf, InsightError, messageOf } from '../errors.ts';
import { BodyCut } from './relay.ts';

/** The header by which clients and people can tell that an answer is the proxy's own. */
export const PROXY_ANSWER_HEADER = 'x-insight-dump';

/** Why an exchange ends early: who ended it, what addons and the log are told, and what the client is. */
export class Cut extends Error {
  override readonly name = 'Cut';
  constructor(
    readonly by: FlowError['by'],
    readonly code: string,
    message: string,
    /** What the client is answered with, if it still can be. */
    readonly status: number,
    /** What the client is told: nothing of our inside. */
    readonly told: string,
    /** Break off without an answer. */
    readonly silent = false,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  static client(): Cut {
    return new Cut('client', 'CLIENT_CLOSED', 'the client closed the connection', 499, '', true);
  }

  /** A request that cannot be served as it is. */
  static request(status: number, code: string, told: string): Cut {
    return new Cut('proxy', code, told, status, told);
  }

  static killed(): Cut {
    return new Cut('addon', 'KILLED', 'an addon killed the flow', 502, '', true);
  }

  static blocked(script: string): Cut {
    return new Cut(
      'proxy',
      'REQUIRED_ADDON',
      `${script} is required and not loaded`,
      503,
      'A part of the proxy that it needs is not working.',
    );
  }

  static upstream(error: unknown): Cut {
    if (error instanceof Cut) return error;
    if (error instanceof InsightError && error.code === 'privateTarget') {
      return new Cut('proxy', error.code, error.message, 403, 'The proxy does not connect to private addresses.');
    }
    const code = codeOf(error) ?? 'UPSTREAM_FAILED';
    const late = code === 'connectTimeout' || code === 'ETIMEDOUT';
    const told = late ? 'The server did not answer in time.' : 'The server could not be reached, or broke off.';
    return new Cut('upstream', code, messageOf(error), late ? 504 : 502, told, false, { cause: error });
  }

  static silent(ms: number): Cut {
    const message = `the server was silent for ${ms} ms`;
    return new Cut('upstream', 'IDLE_TIMEOUT', message, 504, 'The server did not answer in time.');
  }

  toFlowError(): FlowError {
    return { by: this.by, code: this.code, message: this.message };
  }
}

/** Makes anything that was thrown on an exchange's way a `Cut`; `source` is whose body was being read. */
export function cutOf(error: unknown, source: 'client' | 'upstream'): Cut {
  if (error instanceof Cut) return error;
  if (error instanceof BodyCut) {
    if (error.cause instanceof Cut) return error.cause;
    const clientIsGone = (source === 'client') === (error.side === 'source');
    return clientIsGone ? Cut.client() : Cut.upstream(error.cause ?? error);
  }
  if (error instanceof InsightError) {
    switch (error.code) {
      case 'bodyTooLarge':
        return new Cut(
          'proxy',
          error.code,
          error.message,
          source === 'client' ? 413 : 502,
          'The body is too large for the proxy.',
        );
      case 'requiredAddonFailed':
        return new Cut('addon', error.code, error.message, 503, 'A part of the proxy that it needs is not working.');
      case 'privateTarget':
        return Cut.upstream(error);
    }
  }
  // What is left comes from an addon's transform, or from a head that an addon made impossible to send.
  return new Cut(
    'addon',
    codeOf(error) ?? 'ADDON_FAILED',
    messageOf(error),
    502,
    'An addon of the proxy failed.',
    false,
    { cause: error },
  );
}

/** A short plain answer that says it is the proxy's. */
export function answerOf({ status, told, code }: Pick<Cut, 'status' | 'told' | 'code'>): Answer {
  return {
    status,
    headers: { [PROXY_ANSWER_HEADER]: code, 'content-type': 'text/plain; charset=utf-8' },
    body: `insight-dump: ${told}\n`,
  };
}
