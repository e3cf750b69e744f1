import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Method } from './method.js';
import { FakePeer, framed, requestHead, FakeStream, type Fields } from './testing/fake-stream.js';
import { Gates, KINDS, pathOf, randomMethods } from './testing/random-calls.js';
import { TestServer, until } from './testing/test-server.js';

const ECHO: Method = { kind: 'unary', refusable: false, handle: (request) => request };

describe('what is no call', () => {
  const server = new TestServer({ '/a.B/Echo': ECHO, '/a.B/Other': ECHO });
  const peer = new FakePeer(server.grpc);

  function answer(path: string, fields: Fields = {}): Fields | undefined {
    const stream = peer.begin(path, fields);
    assert.deepEqual([stream.over, stream.releases, stream.messages.length], [true, 1, 0]);
    return stream.headers1;
  }

  it('a path that is not served is UNIMPLEMENTED in the words of grpc-go', () => {
    const said = (path: string): unknown[] => [answer(path)?.['grpc-status'], answer(path)?.['grpc-message']];
    assert.deepEqual(said('/a.B/Nope'), ['12', 'unknown method Nope for service a.B']);
    assert.deepEqual(said('/a.C/Echo'), ['12', 'unknown service a.C']);
    assert.deepEqual(said('/a.B/Echo/x'), ['12', 'unknown service a.B/Echo']);
    assert.deepEqual(said('/x'), ['12', 'malformed method name: "/x"']);
    assert.deepEqual(said('a.B/Echo'), ['12', 'malformed method name: "a.B/Echo"']);
    assert.deepEqual(said('/'), ['12', 'malformed method name: "/"']);
  });

  it('a content-type other than application/grpc is 415, and every kind of that is taken', () => {
    for (const type of ['text/plain', 'application/grpc-web', 'application/grpcx', 'application/json', '']) {
      const headers = answer('/a.B/Echo', { 'content-type': type });
      assert.deepEqual([headers?.[':status'], headers?.['grpc-status'], headers?.['grpc-message']],
        ['415', '3', `invalid gRPC request content-type ${JSON.stringify(type)}`]);
    }
    for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc;charset=utf-8']) {
      assert.equal(peer.ask('/a.B/Echo', [Buffer.from('x')], { 'content-type': type }).code, 0, type);
    }
  });

  it('another method than POST is 405; a malformed timeout or -bin is 400, and INTERNAL', () => {
    const said = (fields: Fields): unknown[] => {
      const headers = answer('/a.B/Echo', fields);
      return [headers?.[':status'], headers?.['grpc-status'], headers?.['grpc-message']];
    };
    assert.deepEqual(said({ ':method': 'GET' }), ['405', '13', 'Received a HEADERS frame with :method "GET" which should be POST']);
    assert.deepEqual(said({ 'grpc-timeout': '5x' }),
      ['400', '13', 'malformed grpc-timeout: transport: timeout unit is not recognized: "5x"']);
    assert.deepEqual(said({ 'x-bin': '***' }), ['400', '13', 'malformed binary metadata "***" in header "x-bin": illegal base64 data']);
  });

  it('an unknown encoding is UNIMPLEMENTED, and is told what is known', () => {
    const headers = answer('/a.B/Echo', { 'grpc-encoding': 'snappy' });
    assert.deepEqual([headers?.['grpc-status'], headers?.['grpc-message'], headers?.['grpc-accept-encoding']],
      ['12', 'grpc: Decompressor is not installed for grpc-encoding "snappy"', 'identity,deflate,gzip']);
    for (const encoding of ['identity', 'gzip']) assert.equal(peer.ask('/a.B/Echo', [Buffer.from('x')], { 'grpc-encoding': encoding }).code, 0);
  });

  it('what follows a refused head is dropped', () => {
    const stream = peer.begin('/a.B/Nope');
    peer.send(stream, framed(Buffer.from('x')), true);
    assert.equal(stream.releases, 1);
  });

  it('a head is read once for all requests that share it', () => {
    const head = requestHead('/a.B/Echo');
    for (let i = 0; i < 3; i++) {
      const stream = new FakeStream(server.grpc, Infinity, Infinity);
      server.grpc.request(stream, head, false);
      const { memo } = head;
      peer.send(stream, framed(Buffer.from(String(i))), true);
      assert.deepEqual([stream.code, stream.messages.map(String), head.memo === memo], [0, [String(i)], true]);
    }
  });

  it('is not counted with the methods', () => {
    assert.deepEqual([...server.stats.methods.keys()], ['/a.B/Echo', '/a.B/Other']);
    assert.equal(server.stats.started, server.stats.ended);
  });
});

describe('whatever a client sends', () => {
  const text = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 12 });
  const fields = fc.record({
    ':method': fc.constantFrom('POST', 'POST', 'POST', 'GET', 'post'),
    'content-type': fc.constantFrom('application/grpc', 'application/grpc', 'application/grpc+proto', 'application/grpc-web', ''),
    'grpc-timeout': fc.oneof(fc.constantFrom('1S', '0n', '99999999H', ''), text),
    'grpc-encoding': fc.oneof(fc.constantFrom('', 'gzip', 'deflate', 'identity'), text),
    'x-bin': fc.oneof(fc.constantFrom('', 'AQ', 'AQ==, AQI'), text),
    deed: fc.constant('at-once'),
  }, { requiredKeys: ['deed'] });
  const path = fc.oneof(fc.constantFrom(...KINDS.map(pathOf)), text.filter((chosen) => chosen !== ''));
  const part = fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ maxLength: 30 }).map((bytes) => framed(bytes)));

  it('ends in a status, throws nothing, and leaves nothing', async () => {
    await fc.assert(fc.asyncProperty(path, fields, fc.array(part, { maxLength: 5 }), async (chosen, said, parts) => {
      const server = new TestServer(randomMethods(new Gates()));
      const peer = new FakePeer(server.grpc);
      const stream = peer.begin(chosen, said);
      for (const bytes of parts) peer.send(stream, bytes);
      peer.send(stream, Buffer.alloc(0), true);
      await until(() => stream.over && server.grpc.held.calls === 0, 'it ends');
      assert.ok(stream.code !== undefined, 'it was told how it ended');
      assert.deepEqual(server.grpc.held, { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 });
      assert.deepEqual([server.stats.started, stream.releases], [server.stats.ended, 1]);
    }), { numRuns: 300 });
  });
});
