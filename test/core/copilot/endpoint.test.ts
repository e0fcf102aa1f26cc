import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointOf, engineOf, recognize } from '../../../core/copilot/endpoint.ts';

describe('what a request asks for', () => {
  for (const [path, expected] of [
    ['/chat/completions', 'chat'],
    ['/v1/chat/completions?x=1', 'chat'],
    ['/v1/engines/copilot-codex/completions', 'completions'],
    ['/v1/engines/gpt-41-copilot/completions', 'completions'],
    ['/v1/engines/a/b/completions', undefined],
    ['/v1/completions', undefined],
    ['/responses', 'responses'],
    ['/v1/responses', 'responses'],
    ['/responses/abc', undefined],
    ['/v1/messages', 'messages'],
    ['/v1/messages/count_tokens', undefined],
    ['/agents/some-extension', 'agents'],
    ['/agents', undefined],
    ['/embeddings', undefined],
    ['/models?path=/chat/completions', undefined],
    ['/telemetry', undefined],
    ['/v1/engines/copilot-nes-oct/completions', 'completions'],
    ['/mcp/', undefined],
    ['/embeddings/models', undefined],
    ['/copilot_internal/v2/token', undefined],
    ['/agents/sessions/1', 'agents'],
    ['', undefined],
  ] as const) {
    it(`is ${expected ?? 'no use of Copilot'} for ${path}`, () => assert.equal(endpointOf(path)?.endpoint, expected));
  }
});

describe('what is known and counted as nothing', () => {
  for (const [path, endpoint] of [
    ['/embeddings', 'embeddings'],
    ['/v1/embeddings?x=1', 'embeddings'],
    ['/embeddings/models', 'embeddings'],
    ['/models', 'models'],
    ['/models?path=/chat/completions', 'models'],
    ['/v1/models/gpt-4.1', 'models'],
    ['/models/session', 'models'],
  ] as const)
    it(`is ${endpoint} for ${path}, which is no use of Copilot`, () => {
      assert.deepEqual(recognize(path), { endpoint, kind: 'none' });
      assert.equal(endpointOf(path), undefined);
    });

  it('is no use that is known, and nothing that is not', () => {
    assert.deepEqual(recognize('/chat/completions?x=1'), { endpoint: 'chat', kind: 'chat' });
    for (const path of ['/telemetry', '/copilot_internal/v2/token', '/agents', '/mcp/', '/modelsx'])
      assert.equal(recognize(path), undefined, path);
  });
});

describe('the engine that a path names', () => {
  for (const [path, engine] of [
    ['/v1/engines/gpt-41-copilot/completions', 'gpt-41-copilot'],
    ['/v1/engines/gpt-41-copilot/completions?x=/v1/engines/y/completions', 'gpt-41-copilot'],
    ['/chat/completions', undefined],
  ] as const)
    it(`is ${engine} for ${path}`, () => assert.equal(engineOf(path), engine));
});
