import assert from 'node:assert/strict';
import { FakePeer, framed, type FakeStream } from './testing/fake-stream.js';
import { TestServer } from './testing/test-server.js';

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
});
