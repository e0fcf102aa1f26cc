import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointOf, engineOf } from '../../../core/copilot/endpoint.ts';

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

describe('the engine that a path names', () => {
  for (const [path, engine] of [
    ['/v1/engines/gpt-41-copilot/completions', 'gpt-41-copilot'],
    ['/v1/engines/gpt-41-copilot/completions?x=/v1/engines/y/completions', 'gpt-41-copilot'],
    ['/chat/completions', undefined],
  ] as const)
    it(`is ${engine} for ${path}`, () => assert.equal(engineOf(path), engine));
});
