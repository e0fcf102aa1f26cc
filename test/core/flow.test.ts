import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HttpRequest } from '../../core/flow.ts';
import { Headers } from '../../core/headers.ts';

describe('a request to a host that is reached by another address', () => {
  const make = () => {
    const target = { scheme: 'https', host: 'example.com', port: 443, address: '192.0.2.1' } as const;
    const head = { method: 'GET', target, path: '/', headers: new Headers([]), httpVersion: '1.1' } as const;
    return new HttpRequest(head, 0);
  };

  it('is still sent there when only its path is changed', () => {
    const request = make();
    request.url = 'https://EXAMPLE.com:443/x?y';
    assert.equal(request.path, '/x?y');
    assert.equal(request.target.address, '192.0.2.1');
  });

  for (const url of ['https://example.org/', 'https://example.com:8443/', 'http://example.com:443/']) {
    it(`is sent elsewhere when its URL is set to ${url}`, () => {
      const request = make();
      request.url = url;
      assert.equal(request.target.address, undefined);
      assert.equal(request.url, url);
    });
  }
});
