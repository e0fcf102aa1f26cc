import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { add, addAcceptance, emptyDay, type Use, useOf } from '../../../addons/metrics/day.ts';
import { githubReport } from '../../../addons/metrics/github-report.ts';
import type { Insight } from '../../../core/copilot/record.ts';
import { insight } from './insights.ts';

describe('the report with GitHub’s field names', () => {
  const dayOf = (...some: readonly Insight[]) => {
    const day = emptyDay('2026-01-31');
    for (const each of some) add(day, useOf(each) as Use);
    return day;
  };
  const only = (...some: readonly Insight[]) => JSON.parse(githubReport(dayOf(...some)));
  const counts = (interactions: number, generations: number) => ({
    user_initiated_interaction_count: interactions,
    code_generation_activity_count: generations,
    code_acceptance_activity_count: null,
    loc_suggested_to_add_sum: null,
    loc_suggested_to_delete_sum: null,
    loc_added_sum: null,
    loc_deleted_sum: null,
  });

  it('has each of them, and null for what a proxy cannot see', () => {
    const completion = insight({
      as: 'completion',
      kind: 'completions',
      model: 'gpt-41-copilot',
      editor: 'JetBrains-PC-243.1',
    });
    const version = (ide_version: string) => ({ ide_version, sampled_at: null });
    assert.deepEqual(only(insight({ credits: 1.5 }), insight({ as: 'step' }), completion), {
      day: '2026-01-31',
      enterprise_id: null,
      organization_id: null,
      user_id: null,
      user_login: 'alice',
      ...counts(1, 1),
      totals_by_ide: [
        { ide: 'intellij', ...counts(0, 1), last_known_ide_version: version('243.1'), last_known_plugin_version: null },
        { ide: 'vscode', ...counts(1, 0), last_known_ide_version: version('1.96.2'), last_known_plugin_version: null },
      ],
      totals_by_feature: [
        { feature: 'chat_panel_unknown_mode', ...counts(1, 0) },
        { feature: 'code_completion', ...counts(0, 1) },
      ],
      totals_by_language_feature: [
        { language: 'python', feature: 'chat_panel_unknown_mode', ...counts(1, 0) },
        { language: 'python', feature: 'code_completion', ...counts(0, 1) },
      ],
      totals_by_language_model: [
        { language: 'python', model: 'gpt-4.1', ...counts(1, 0) },
        { language: 'python', model: 'gpt-41-copilot', ...counts(0, 1) },
      ],
      totals_by_model_feature: [
        { model: 'gpt-4.1', feature: 'chat_panel_unknown_mode', ...counts(1, 0) },
        { model: 'gpt-41-copilot', feature: 'code_completion', ...counts(0, 1) },
      ],
      totals_by_cli: null,
      used_agent: true,
      used_chat: true,
      used_cli: false,
      used_copilot_coding_agent: null,
      used_copilot_cloud_agent: null,
      used_copilot_code_review_active: null,
      used_copilot_code_review_passive: null,
      ai_adoption_phase: null,
      ai_credits_used: 1.5,
    });
  });

  it('keeps the command line out of all totals but its own', () => {
    const cli = { surface: 'cli', editor: 'copilot-1.0.10' } as const;
    const day = only(insight(cli), insight({ ...cli, as: 'step', editor: 'copilot-1.0.9' }), insight({ editor: '-' }));
    assert.equal(day.user_initiated_interaction_count, 1);
    assert.deepEqual(
      day.totals_by_ide.map(({ ide }: { ide: string }) => ide),
      ['unknown'],
    );
    assert.deepEqual(day.totals_by_cli, {
      session_count: null,
      request_count: 2,
      prompt_count: 1,
      token_usage: { prompt_tokens_sum: 200, output_tokens_sum: 40, avg_tokens_per_request: 120 },
      last_known_cli_version: { cli_version: '1.0.10', sampled_at: null },
    });
    assert.equal(day.used_cli, true);
  });

  it('has what editors told of completions instead of what was returned', () => {
    const day = dayOf(insight({ as: 'completion' }), insight({ as: 'completion' }));
    const told = { id: 'told', user: 'alice', groups: [], endMs: 0, editor: 'vscode-1.96.2', language: 'python' };
    addAcceptance(day, { ...told, shown: 1, accepted: 1, rejected: 0, acceptedLines: 4 });
    const { code_generation_activity_count, code_acceptance_activity_count, loc_added_sum } = JSON.parse(
      githubReport(day),
    );
    assert.deepEqual([code_generation_activity_count, code_acceptance_activity_count, loc_added_sum], [1, 1, 4]);
  });

  it('is a line for each user, by name', () => {
    const text = githubReport(dayOf(insight({ user: 'bob' }), insight({ user: 'alice\u2028' })));
    assert.deepEqual(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).user_login),
      ['alice\u2028', 'bob'],
    );
  });
});
