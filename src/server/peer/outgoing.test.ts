import assert from 'node:assert/strict';
import { KiB, MiB } from '../../base/bytes.js';
import { Watched } from '../../base/testing/garbage.js';
import { CHUNK_BYTES, FrameAssembler } from './chunks.js';
import { Outgoing, WHOLE_BYTES, type OutgoingBatch } from './outgoing.js';

function named(bytes: number, name: number): Uint8Array {
  return new Uint8Array(bytes).fill(name);
}

/** Sizes and names of frames as a peer gets them. */
class Peer {
  readonly got: string[] = [];
  readonly #assembler = new FrameAssembler(64 * MiB);

  take({ frames, chunk }: OutgoingBatch): void {
    for (const frame of frames) this.#note(frame);
    const whole = chunk === undefined ? undefined : this.#assembler.take(Buffer.concat([chunk.head, chunk.bytes]));
    if (whole !== undefined) this.#note(whole);
  }

  #note(frame: Uint8Array): void {
    this.got.push(`${frame[0]}:${frame.length}`);
  }
}

function drain(outgoing: Outgoing, peer: Peer, chunks = true): number {
  let messages = 0;
  for (let batch = outgoing.take(true, chunks); batch !== undefined; batch = outgoing.take(true, chunks)) {
    messages++;
    peer.take(batch);
  }
  assert.equal(outgoing.bytes, 0);
  return messages;
}

describe('what waits to be sent to a peer', () => {
  it('leaves in order within its lane, also around a frame in chunks, what is prompt first', () => {
    const outgoing = new Outgoing(64 * MiB);
    const peer = new Peer();
    for (const [bytes, name] of [[10, 1], [3 * CHUNK_BYTES, 2], [20, 3], [CHUNK_BYTES + 1, 4], [30, 5]] as const) outgoing.push(named(bytes, name), 'bulk');
    const first = outgoing.take(true, true);
    assert.ok(first?.chunk !== undefined && first.frames.length === 1);
    peer.take(first);
    outgoing.push(named(5, 9), 'prompt');
    drain(outgoing, peer);
    assert.deepEqual(peer.got, ['1:10', '9:5', `2:${3 * CHUNK_BYTES}`, '3:20', `4:${CHUNK_BYTES + 1}`, '5:30']);
  });

  it('is held no longer than it waits, also while more always waits', async () => {
    const outgoing = new Outgoing(64 * MiB);
    const frames = new Watched();
    const push = (): void => outgoing.push(frames.watch(named(CHUNK_BYTES, 1)), 'bulk');
    for (let i = 0; i < 8; i++) push();
    for (let sent = 0; sent < 160; ) {
      const count = outgoing.take(true, true)?.frames.length ?? 0;
      for (let i = 0; i < count; i++) push();
      sent += count;
    }
    assert.deepEqual([outgoing.bytes, await frames.held()], [8 * CHUNK_BYTES, 8]);
  });

  it('small frames of one turn are one message', () => {
    const outgoing = new Outgoing(MiB);
    const peer = new Peer();
    for (let i = 0; i < 50; i++) outgoing.push(named(100, i), i % 2 === 0 ? 'bulk' : 'prompt');
    assert.equal(drain(outgoing, peer), 1);
    assert.equal(peer.got.length, 50);
  });

  it('what is prompt leaves while the bulk lane is held back', () => {
    const outgoing = new Outgoing(64 * MiB);
    outgoing.push(named(2 * MiB, 1), 'bulk');
    assert.ok(!outgoing.has(false) && outgoing.has(true));
    assert.equal(outgoing.take(false, true), undefined);
    outgoing.push(named(5, 2), 'prompt');
    assert.deepEqual(outgoing.take(false, true)?.frames.map((frame) => frame[0]), [2]);
  });

  it('beyond its bound a frame is dropped and counted, a part that was sent made room', () => {
    const outgoing = new Outgoing(4 * MiB);
    outgoing.push(named(4 * MiB, 1), 'bulk');
    outgoing.push(named(1, 2), 'prompt');
    assert.equal(outgoing.dropped, 1);
    outgoing.take(true, true);
    outgoing.push(named(1, 3), 'prompt');
    assert.equal(outgoing.dropped, 1);
  });

  it('an older peer gets frames whole, and none that it would refuse', () => {
    const outgoing = new Outgoing(64 * MiB);
    const peer = new Peer();
    for (const [bytes, name] of [[WHOLE_BYTES + 1, 1], [WHOLE_BYTES, 2], [9, 3], [2 * WHOLE_BYTES, 4], [7, 5]] as const) outgoing.push(named(bytes, name), 'bulk');
    drain(outgoing, peer, false);
    assert.deepEqual(peer.got, [`2:${WHOLE_BYTES}`, '3:9', '5:7']);
    assert.equal(outgoing.dropped, 2);
  });

  it('a new stream begins with no part of an old frame; without one only the newest little is kept', () => {
    const outgoing = new Outgoing(64 * MiB);
    outgoing.push(named(2 * MiB, 1), 'bulk');
    outgoing.take(true, true);
    outgoing.clear();
    for (let i = 0; i < 100; i++) outgoing.keep(named(4 * KiB, i), 'prompt');
    outgoing.keep(named(2 * MiB, 101), 'bulk');
    const peer = new Peer();
    drain(outgoing, peer);
    assert.deepEqual(peer.got, Array.from({ length: 16 }, (_, i) => `${84 + i}:${4 * KiB}`));
  });
});
