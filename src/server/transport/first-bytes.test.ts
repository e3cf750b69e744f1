import assert from 'node:assert/strict';
import { protocolOf } from './first-bytes.js';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('the protocol of a client', () => {
  it('is HTTP/2 by its whole preface, and not before', () => {
    for (let n = 0; n < PREFACE.length; n++) assert.equal(protocolOf(bytes(PREFACE.slice(0, n))), undefined);
    assert.equal(protocolOf(bytes(PREFACE)), 'http2');
    assert.equal(protocolOf(bytes(`${PREFACE}\0\0\0`)), 'http2');
    assert.notEqual(protocolOf(bytes('PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n')), 'http2');
  });

  it('is HTTP/1.1 by a method, however few bytes come at a time', () => {
    for (const line of ['GET / HTTP/1.1', 'POST /v3/kv/range HTTP/1.1', 'OPTIONS * HTTP/1.1', 'PUT / HTTP/1.1', 'PROPFIND / HTTP/1.1']) {
      let told: string | undefined;
      for (let n = 0; told === undefined && n <= line.length; n++) told = protocolOf(bytes(line.slice(0, n)));
      assert.equal(told, 'http1', line);
    }
  });

  it('is neither for anything else', () => {
    for (const text of ['\x16\x03\x01', 'get / HTTP/1.1', '{"a":1}', 'AB CD', 'ABCDEFGHIJKLMNOP', '\0\0\0\x04\0\0']) {
      assert.equal(protocolOf(bytes(text)), 'unknown', JSON.stringify(text));
    }
  });
});
