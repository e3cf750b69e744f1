import assert from 'node:assert/strict';
import { FakePeer, framed, type FakeStream } from './testing/fake-stream.js';
import { Deferred } from '../base/deferred.js';
import { settled, TestServer } from './testing/test-server.js';

const ECHO = '/t.T/Echo';
const refusal = (stream: FakeStream): unknown[] => [stream.code, stream.status?.['grpc-message']];

describe('a unary call', () => {
  it('whose message is whole and waits for the end counts as unfinished, on every way out', () => {
    const server = new TestServer({ [ECHO]: { kind: 'unary', refusable: false, handle: (request) => request } }, {
      limits: { maxUnfinishedBytes: 150_000, receiveMs: 1000 },
    });
    const peer = new FakePeer(server.grpc);
    const message = framed(Buffer.alloc(100_000));
    const begun = (): FakeStream => {
      const stream = peer.begin(ECHO);
      peer.send(stream, message);
      return stream;
    };
    const first = begun();
    assert.equal(server.grpc.held.unfinishedBytes, 100_000);
    const second = begun();
    assert.deepEqual(refusal(second), [8, 'grpc: too many bytes of unfinished requests']);
    peer.send(first, Buffer.alloc(0), true);
    assert.deepEqual([first.code, server.grpc.held.unfinishedBytes], [0, 0]);
    const third = begun();
    peer.cancel(third);
    const fourth = begun();
    peer.send(fourth, message);
    assert.deepEqual(refusal(fourth)[0], 13);
    const fifth = begun();
    server.manual.advance(1008);
    assert.deepEqual(refusal(fifth), [4, 'grpc: the request took too long to come']);
    for (const stream of [first, second, third, fourth, fifth]) assert.deepEqual([stream.over, stream.releases], [true, 1]);
    assert.deepEqual(server.grpc.held, { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 });
  });

  it('C1 counts while its handler works on it, also when its caller has left', async () => {
    const works: Deferred<Uint8Array>[] = [];
    const handle = (): Promise<Uint8Array> => {
      const work = new Deferred<Uint8Array>();
      works.push(work);
      return work.promise;
    };
    const server = new TestServer({ [ECHO]: { kind: 'unary', refusable: true, handle } }, { limits: { maxUnfinishedBytes: 50_000 } });
    const peer = new FakePeer(server.grpc);
    const ask = (bytes: number): FakeStream => peer.ask(ECHO, [Buffer.alloc(bytes)]);
    const [one, two, refused, small] = [ask(20_000), ask(20_000), ask(20_000), ask(1_000)];
    assert.deepEqual([works.length, server.grpc.held.unfinishedBytes], [3, 40_000]);
    assert.deepEqual(refusal(refused), [8, 'grpc: too many bytes of unfinished requests']);
    peer.cancel(one);
    const again = ask(20_000);
    assert.equal(again.code, 8, 'its handler has not come back');
    works[0]?.resolve(Buffer.alloc(0));
    await settled();
    assert.equal(server.grpc.held.unfinishedBytes, 20_000);
    const third = ask(20_000);
    for (const work of works) work.resolve(Buffer.alloc(0));
    await settled();
    for (const stream of [one, two, refused, small, again, third]) assert.deepEqual([stream.over, stream.releases], [true, 1]);
    assert.deepEqual(server.grpc.held, { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 });
  });
});
