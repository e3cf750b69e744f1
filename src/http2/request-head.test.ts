import assert from 'node:assert/strict';
import { Field } from './hpack/field.js';
import { RequestHead, RequestTrailers } from './request-head.js';

type Pair = readonly [name: string, value: string];

const PSEUDO: readonly Pair[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/etcdserverpb.KV/Range'],
  [':authority', 'localhost:2379'],
];
const REGULAR: readonly Pair[] = [['content-type', 'application/grpc'], ['te', 'trailers'], ['user-agent', 'grpc-go/1.62.1']];

function headOf(pairs: readonly Pair[], maxListBytes = 8192): RequestHead {
  const head = new RequestHead(maxListBytes);
  for (const [name, value] of pairs) if (!head.field(new Field(name, value))) break;
  return head;
}

const without = (name: string): Pair[] => PSEUDO.filter((pair) => pair[0] !== name);
const isMalformed = (...pairs: readonly Pair[]): boolean => headOf(pairs).malformed;
/** With one field after those of a sound request. */
const isMalformedWith = (name: string, value: string): boolean => isMalformed(...PSEUDO, ...REGULAR, [name, value]);

describe('RequestHead', () => {
  it('has the pseudo fields apart and the others in order', () => {
    const head = headOf([...PSEUDO, ...REGULAR, ['x', '1'], ['x', '2']]);
    assert.equal(head.malformed, false);
    assert.deepEqual([head.method, head.scheme, head.path, head.authority].map((field) => field?.value), PSEUDO.map(([, value]) => value));
    assert.deepEqual(head.fields.map(({ name, value }) => [name, value]), [...REGULAR, ['x', '1'], ['x', '2']]);
    assert.equal(head.contentLength, -1);
    assert.equal(head.tooLarge, false);
  });

  it('RFC 9113, 6.5.2: counts both texts and 32 bytes for each field, and stops at the limit', () => {
    const pairs: readonly Pair[] = [[':method', 'POST'], ['abc', '12345'], ['d', '']];
    const bytes = 7 + 4 + 3 + 5 + 1 + 3 * 32;
    assert.equal(headOf(pairs, bytes).listBytes, bytes);
    assert.equal(headOf(pairs, bytes).tooLarge, false);
    const cut = headOf(pairs, bytes - 1);
    assert.equal(cut.tooLarge, true);
    assert.equal(cut.fields.length, 1);
  });

  describe('RFC 9113, 8.3: pseudo fields', () => {
    it('come once each', () => {
      for (const pair of PSEUDO) {
        assert.equal(isMalformed(pair, ...PSEUDO), true, pair[0]);
        assert.equal(isMalformed(...PSEUDO, [pair[0], '']), true, pair[0]);
      }
      assert.equal(isMalformed([':path', ''], ...PSEUDO), true);
    });

    it('come before all others', () => {
      for (const pair of PSEUDO) assert.equal(isMalformed(...without(pair[0]), ...REGULAR, pair), true, pair[0]);
    });

    it('come in any order', () => assert.equal(isMalformed(...[...PSEUDO].reverse(), ...REGULAR), false));

    it('are none that a request does not have', () => {
      for (const name of [':status', ':protocol', ':unknown', ':', ':Path']) assert.equal(isMalformed(...PSEUDO, [name, '200']), true, name);
    });

    it('8.3.1: method, scheme and path are there and not empty', () => {
      for (const name of [':method', ':scheme', ':path']) {
        assert.equal(isMalformed(...without(name), ...REGULAR), true, name);
        assert.equal(isMalformed(...without(name), [name, ''], ...REGULAR), true, name);
      }
    });

    it('a method or path that this server does not know is for the layer above', () => {
      assert.equal(isMalformed(...without(':method'), [':method', 'GET']), false);
      for (const path of ['*', 'no-slash', '/', '/a?b']) assert.equal(isMalformed(...without(':path'), [':path', path]), false, path);
    });

    it('8.3.1 and RFC 9110, 9.1: a method is a token', () => {
      for (const method of ['P=eR', 'PO ST', 'POST,', 'GET/', '"A"']) assert.equal(isMalformed(...without(':method'), [':method', method]), true, method);
      for (const method of ['M-SEARCH', 'post', 'X!#1']) assert.equal(isMalformed(...without(':method'), [':method', method]), false, method);
    });

    it('any authority is taken, and none', () => {
      assert.equal(isMalformed(...without(':authority'), ...REGULAR), false);
      assert.equal(headOf(without(':authority')).authority, undefined);
      for (const authority of ['', 'http://a:1/', 'unix:///tmp/x.sock', 'a:1,b:2', '#initially=[a;b]', 'user@host']) {
        assert.equal(isMalformed(...without(':authority'), [':authority', authority]), false, authority);
      }
      assert.equal(isMalformedWith('host', 'another'), false);
    });

    it('8.5: CONNECT has an authority alone', () => {
      const connect: Pair = [':method', 'CONNECT'];
      const authority: Pair = [':authority', 'a:1'];
      assert.equal(isMalformed(connect, authority), false);
      assert.equal(headOf([connect, authority]).path.value, '');
      assert.equal(isMalformed(connect), true);
      assert.equal(isMalformed(connect, authority, [':path', '/']), true);
      assert.equal(isMalformed(connect, authority, [':scheme', 'http']), true);
    });
  });

  describe('RFC 9113, 8.2: fields', () => {
    it('have names that are tokens in lower case', () => {
      for (const name of ['X-Upper', 'a b', '', 'a:b', 'a\0', 'ä', 'a(']) assert.equal(isMalformedWith(name, '1'), true, name);
      for (const name of ['x-trace-bin', 'a_b', "!#$%&'*+-.^_`|~", '0']) assert.equal(isMalformedWith(name, '1'), false, name);
    });

    it('have values without control characters, but for tabs', () => {
      for (let code = 0; code < 256; code++) {
        const control = (code < 0x20 && code !== 9) || code === 0x7f;
        assert.equal(isMalformedWith('x', `a${String.fromCharCode(code)}b`), control, `${code}`);
        assert.equal(isMalformed(...without(':path'), [':path', `/${String.fromCharCode(code)}`]), control, `${code}`);
      }
    });

    it('have values that may begin and end with blanks, as every server of gRPC takes them', () => {
      for (const value of ['', ' ', ' a', 'a\t']) assert.equal(isMalformedWith('x', value), false);
    });

    it('8.2.2: say nothing of the connection', () => {
      for (const name of ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']) {
        assert.equal(isMalformedWith(name, 'x'), true, name);
      }
    });

    it('8.2.2: te says trailers and nothing else', () => {
      assert.equal(isMalformedWith('te', 'Trailers'), false);
      for (const value of ['', 'gzip', 'trailers, deflate', 'trailers ']) assert.equal(isMalformedWith('te', value), true, value);
    });
  });

  describe('content-length', () => {
    it('is a number of bytes, and a field', () => {
      const head = headOf([...PSEUDO, ['content-length', '0012']]);
      assert.equal(head.contentLength, 12);
      assert.deepEqual(head.fields.map(({ name }) => name), ['content-length']);
      assert.equal(headOf([...PSEUDO, ['content-length', '999999999999999']]).contentLength, 999_999_999_999_999);
    });

    it('is malformed if it is none, or two', () => {
      for (const value of ['', '-1', '+1', '1.0', '1e3', '0x1', ' 1', '1, 1', '9999999999999999']) {
        assert.equal(isMalformedWith('content-length', value), true, value);
      }
      assert.equal(isMalformed(...PSEUDO, ['content-length', '1'], ['content-length', '1']), false);
      assert.equal(isMalformed(...PSEUDO, ['content-length', '1'], ['content-length', '2']), true);
    });
  });

  it('judges a field once, however often it comes', () => {
    const field = new Field('te', 'gzip');
    assert.equal(field.role, 0);
    new RequestHead(8192).field(field);
    assert.notEqual(field.role, 0);
    // What was found before is taken as it is.
    const sound = new Field('te', 'trailers');
    new RequestHead(8192).field(sound);
    sound.role = field.role;
    const head = headOf(PSEUDO);
    assert.equal(head.malformed, false);
    head.field(sound);
    assert.equal(head.malformed, true);
  });
});

describe('RequestTrailers', () => {
  const isBad = (...pairs: readonly Pair[]): boolean => {
    const trailers = new RequestTrailers();
    for (const [name, value] of pairs) if (!trailers.field(new Field(name, value))) break;
    return trailers.malformed;
  };

  it('RFC 9113, 8.1: are fields without a pseudo field', () => {
    assert.equal(isBad(), false);
    assert.equal(isBad(['x-checksum', '1'], ['content-length', '3']), false);
    for (const pair of PSEUDO) assert.equal(isBad(['x', '1'], pair, ['x', '1']), true, pair[0]);
    assert.equal(isBad(['X', '1']), true);
    assert.equal(isBad(['connection', 'close']), true);
  });
});
