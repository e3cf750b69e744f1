import { strict as assert } from 'node:assert';
import { Deferred } from './deferred.js';
import { drive } from './drive.js';

function* count(log: string[], slices: number): Generator<void, string> {
  for (let i = 0; i < slices; i++) {
    log.push(`slice ${i}`);
    yield;
  }
  return 'done';
}

describe('drive', () => {
  it('breathes between slices, waits only when told to, and gives what the work returns', async () => {
    const log: string[] = [];
    const pause = new Deferred();
    const workers = { breathe: () => (log.push('breathe') === 4 ? pause.promise : undefined) };
    const driven = drive(count(log, 3), workers);
    assert.deepEqual(log, ['slice 0', 'breathe', 'slice 1', 'breathe'], 'without a wait it goes on at once');
    pause.resolve();
    assert.equal(await driven, 'done');
    assert.deepEqual(log.slice(4), ['slice 2', 'breathe']);
  });

  it('gives at once what needs no wait', () => {
    assert.equal(drive(count([], 3), { breathe: () => undefined }), 'done');
  });

  it('throws what the work throws, or rejects with it after a wait', async () => {
    const broken = function* (): Generator<void, never> {
      yield;
      throw new Error('broken');
    };
    assert.throws(() => drive(broken(), { breathe: () => undefined }), /broken/);
    await assert.rejects(async () => drive(broken(), { breathe: () => Promise.resolve() }), /broken/);
  });
});
