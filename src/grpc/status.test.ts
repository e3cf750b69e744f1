import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Code } from './code.js';
import { encodeMessage, httpRefused, OK_TRAILERS, trailersOf, trailersOnly } from './status.js';
import { fieldsOf } from './testing/fake-stream.js';

describe('grpc-message', () => {
  it('is left as it is where that is allowed', () => {
    for (const text of ['', 'etcdserver: no leader', '~!"#$&\'()*+,-./:;<=>?@[]^_`{|}']) assert.equal(encodeMessage(text), text);
  });

  it('is percent-encoded UTF-8 elsewhere', () => {
    assert.equal(encodeMessage('100%'), '100%25');
    assert.equal(encodeMessage('a\nb\tc'), 'a%0Ab%09c');
    assert.equal(encodeMessage('Grüße 😀'), 'Gr%C3%BC%C3%9Fe %F0%9F%98%80');
    assert.equal(encodeMessage('\ud800'), '%EF%BF%BD', 'half a pair');
  });

  it('says any text in printable characters, no blank at an end, and says it whole', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const encoded = encodeMessage(text);
      assert.match(encoded, /^(?! )[\x20-\x7e]*(?<! )$/);
      assert.equal(decodeURIComponent(encoded.replace(/%(?![0-9A-F]{2})/g, '%25')), Buffer.from(text).toString());
    }));
  });

  it('is cut between characters when it is very long', () => {
    assert.equal(encodeMessage('x'.repeat(9000)), 'x'.repeat(4096));
    const cut = encodeMessage('é'.repeat(9000));
    assert.ok(cut.length <= 4096 && cut.length > 4080);
    assert.equal(decodeURIComponent(cut), 'é'.repeat(cut.length / 6));
    assert.match(encodeMessage(`${'x'.repeat(4095)} y`), /[^ ]$/);
  });
});

describe('a status', () => {
  it('is one header block where nothing was sent, and trailers elsewhere', () => {
    const status = { code: Code.NOT_FOUND, details: 'no such key' };
    assert.deepEqual(fieldsOf(trailersOnly(status)), {
      ':status': '200', 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': 'no such key',
    });
    assert.deepEqual(fieldsOf(trailersOf(status)), { 'grpc-status': '5', 'grpc-message': 'no such key' });
    assert.deepEqual(fieldsOf(httpRefused(415, status))[':status'], '415');
  });

  it('has its details as base64 without padding', () => {
    const status = { code: Code.INTERNAL, details: '', statusDetails: Uint8Array.of(0xff, 0xfe, 1, 2) };
    assert.deepEqual(fieldsOf(trailersOf(status)), { 'grpc-status': '13', 'grpc-status-details-bin': '//4BAg' });
  });

  it('OK is always the same list, which connections know by heart', () => {
    assert.equal(trailersOf({ code: Code.OK, details: '' }), OK_TRAILERS);
  });
});
