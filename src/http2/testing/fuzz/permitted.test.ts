import assert from 'node:assert/strict';
import { PlainEncoder, REMEMBER_ALL } from '../../hpack/testing/plain-hpack.js';
import { data, frame, goaway, headers, parseFrames, rstStream, settings, windowUpdate } from '../frames.js';
import { permitted } from './permitted.js';
import { Trace } from './trace.js';

function traceOf(...parts: readonly Buffer[]): Trace {
  const { frames, rest } = parseFrames(Buffer.concat(parts));
  return new Trace(frames, rest);
}

describe('what may differ from node:http2', () => {
  let encoder = new PlainEncoder();
  // Each session has a table of its own.
  beforeEach(() => {
    encoder = new PlainEncoder();
  });
  const block = (authority: string): Buffer => Buffer.from([
    [':method', 'POST'] as const, [':scheme', 'http'] as const, [':path', '/'] as const, [':authority', authority] as const,
  ].flatMap((field) => encoder.field(field, REMEMBER_ALL)));

  it('is the stream that gives the reason, and no other', () => {
    const trace = traceOf(
      settings(), headers(1, block('a:1')), data(1, 'x', { end: true }), rstStream(1, 8), headers(3, block('b:1')), data(3, 'y', { end: true }),
      headers(5, block('http://c/'), { end: true }),
    );
    const differs = (id: number, ours: string, node: string): string | undefined => permitted({ id, ours, node }, trace);
    assert.equal(differs(1, 'answered', 'nothing'), 'answered before the reset');
    assert.equal(differs(3, 'answered', 'nothing'), undefined);
    assert.equal(differs(5, 'answered', 'reset'), 'an authority that is none');
    assert.equal(differs(3, 'answered', 'reset'), undefined);
    assert.equal(differs(7, 'answered', 'reset'), undefined);
    assert.equal(differs(0, 'goes on', 'connection error 1'), undefined);
  });

  it('is a length in trailers that the body does not have', () => {
    const trailers = (length: string): Buffer => Buffer.from(encoder.field(['content-length', length], REMEMBER_ALL));
    const trace = traceOf(
      settings(), headers(1, block('a:1')), data(1, 'xyz'), headers(1, trailers('7'), { end: true }),
      headers(3, block('a:1')), data(3, 'xyz'), headers(3, trailers('3'), { end: true }),
    );
    const reset = (id: number): string | undefined => permitted({ id, ours: 'answered', node: 'reset' }, trace);
    assert.deepEqual([1, 3].map(reset), ['a length, said after the body', undefined]);
  });

  it('is a frame of which a part has come, though it is the first of its stream', () => {
    const trace = traceOf(settings(), headers(1, block('a:1')).subarray(0, 12));
    const reset = (id: number): string | undefined => permitted({ id, ours: 'nothing', node: 'reset' }, trace);
    assert.deepEqual([1, 3].map(reset), ['a frame that is known to be wrong by its header', undefined]);
  });

  it('is padding that a frame has no room for, and nothing less', () => {
    const fails = (padding: number): string | undefined => {
      const trace = traceOf(settings(), headers(1, block('a:1')), frame(0, 8, 1, Buffer.from([padding, 1, 2, 3])));
      return permitted({ id: 0, ours: 'connection error 1', node: 'goes on' }, trace);
    };
    assert.deepEqual([3, 4].map(fails), [undefined, 'more padding than there is frame']);
  });

  it('is what the reason explains, and nothing else', () => {
    const trace = traceOf(settings(), headers(1, block('http://c/')), data(1, 'x', { end: true }), goaway(0, 0));
    assert.equal(permitted({ id: 1, ours: 'reset', node: 'answered' }, trace), undefined);
    assert.equal(permitted({ id: 1, ours: 'answered', node: 'another body' }, trace), undefined);
    assert.equal(permitted({ id: 0, ours: 'goes on', node: 'connection error undefined' }, trace), 'GOAWAY of the client');
    assert.equal(permitted({ id: 0, ours: 'connection error 1', node: 'goes on' }, trace), undefined);
  });

  it('is an answer that a smaller window holds back, if it does not fit into that', () => {
    const [small, large] = [Buffer.alloc(10), Buffer.alloc(1_000)];
    const trace = traceOf(
      settings(), headers(1, block('a:1')), data(1, small, { end: true }), headers(3, block('a:1')), data(3, large, { end: true }),
      settings([4, 100]), headers(5, block('a:1')), data(5, large, { end: true }), windowUpdate(7, 1),
    );
    const held = (id: number): string | undefined => permitted({ id, ours: 'answered', node: 'begun' }, trace);
    assert.deepEqual([1, 3, 5].map(held), [undefined, 'answered before the window shrank', undefined]);
  });
});
