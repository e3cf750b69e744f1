/**
 * One session, played against this server and against node:http2 (nghttp2), and what each has made
 * of it compared by class: answered, stream error, connection error. Where RFC 9113 leaves it open
 * the differences are named in {@link PERMITTED}; any other is a fault.
 */

import assert from 'node:assert/strict';
import { ManualClock } from '../../../base/testing/manual-clock.js';
import { ServerConnection } from '../../connection.js';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from '../../limits.js';
import { Http2Pool } from '../../pool.js';
import { PREFACE, parseFrames } from '../frames.js';
import { assertGivenBack } from '../given-back.js';
import { MemoryTransport } from '../memory-transport.js';
import { echo } from '../responses.js';
import { TestHandler } from '../test-handler.js';
import { understood, type NodeServer } from './node-oracle.js';
import { permitted, type Difference } from './permitted.js';
import { Trace } from './trace.js';
import { verdictOf, type StreamOutcome, type Verdict } from './verdict.js';
import type { Session } from './sessions.js';

export const FUZZ_LIMITS: Http2Limits = {
  ...DEFAULT_HTTP2_LIMITS, maxConcurrentStreams: 1_000, maxHeaderListBytes: 65_536, streamWindowBytes: 1 << 20,
};

interface Played {
  readonly output: Buffer;
  readonly verdict: Verdict;
}

/** This server, chunk by chunk; at the end it holds nothing. */
export function play(bytes: Buffer, cuts: readonly number[]): Played {
  const clock = new ManualClock();
  const pool = new Http2Pool(clock);
  const transport = new MemoryTransport();
  const handler = new TestHandler();
  handler.onEnd = echo;
  const connection = new ServerConnection({ transport, handler, limits: FUZZ_LIMITS, clock, pool });
  let turn = 0;
  for (let at = 0; at < bytes.length; ) {
    const to = at + (cuts[turn++ % cuts.length] as number);
    connection.receive(Uint8Array.from(bytes.subarray(at, to)));
    if (turn % 3 === 0) clock.advance(0);
    at = to;
  }
  clock.advance(0);
  const output = Buffer.concat(transport.writes);
  assert.equal(parseFrames(output).rest.length, 0, 'only whole frames are written');
  const verdict = verdictOf(output, transport.ended || transport.destroyed);
  assert.equal(verdict.closed, verdict.failed !== undefined, 'an end is told');
  connection.closed();
  clock.advance(0);
  assertGivenBack({ connection, pool, handler });
  return { output, verdict };
}

/** What a client may rely on. */
function classOf(outcome: StreamOutcome | undefined): string {
  if (outcome === undefined) return 'nothing';
  return outcome.kind === 'answered' && outcome.status !== '200' ? `refused with ${outcome.status}` : outcome.kind;
}

/** How the two verdicts differ. */
function* differences(ours: Verdict, node: Verdict): Generator<Difference> {
  const [failed, nodeFailed] = [ours.failed !== undefined, node.failed !== undefined || node.closed];
  if (failed !== nodeFailed) {
    yield { id: 0, ours: failed ? `connection error ${ours.failed}` : 'goes on', node: nodeFailed ? `connection error ${node.failed}` : 'goes on' };
    return;
  }
  // Who answers at once has answered more when the connection ends.
  if (failed) return;
  for (const id of new Set([...ours.streams.keys(), ...node.streams.keys()])) {
    const [one, other] = [ours.streams.get(id), node.streams.get(id)];
    if (classOf(one) !== classOf(other)) yield { id, ours: classOf(one), node: classOf(other) };
    else if (one?.kind === 'answered' && other?.kind === 'answered' && !one.body.equals(other.body)) yield { id, ours: 'another body', node: 'a body' };
  }
}

/** node:http2's client understands our answers as they were meant. */
async function assertUnderstood({ output, verdict }: Played): Promise<void> {
  const { error, streams } = await understood(output);
  // Of a GOAWAY with an error it makes an error of its session.
  if (verdict.failed === undefined) assert.equal(error, undefined, 'the session lives');
  for (const [id, outcome] of verdict.streams) {
    if (outcome.kind !== 'answered' || verdict.failed !== undefined) continue;
    const heard = streams.get(id);
    assert.deepEqual([heard?.status, heard?.body, heard?.trailers], [Number(outcome.status), outcome.body, outcome.trailers], `stream ${id}`);
  }
}

/** Names of the permitted differences that were met. Throws an AssertionError for all others. */
export async function tryCase(session: Session, cuts: readonly number[], node: NodeServer): Promise<string[]> {
  const played = play(session.bytes, cuts);
  const whole = play(session.bytes, [session.bytes.length]);
  assert.deepEqual(played.verdict, whole.verdict, 'chunks change nothing');
  if (session.valid) assert.equal(played.verdict.failed, undefined, 'a valid session goes on');
  const { output, closed } = await node.serve(session.bytes);
  const { frames, rest } = parseFrames(session.bytes.subarray(PREFACE.length));
  const trace = new Trace(frames, rest);
  const names: string[] = [];
  for (const difference of differences(played.verdict, verdictOf(output, closed))) {
    const name = permitted(difference, trace);
    assert.ok(name !== undefined, `stream ${difference.id}: here ${difference.ours}, node:http2 ${difference.node}`);
    names.push(name);
  }
  await assertUnderstood(played);
  assert.ok(frames.length > 0 || !session.valid);
  return names;
}
