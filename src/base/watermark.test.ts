import { strict as assert } from 'node:assert';
import { Deferred } from './deferred.js';
import { Watermark } from './watermark.js';

describe('Watermark', () => {
  it('only grows, and is told when it is published, in order of subscription', () => {
    const mark = new Watermark('the mark', 3);
    const log: string[] = [];
    mark.subscribe((value) => log.push(`a${value}`));
    mark.subscribe((value) => log.push(`b${value}`));
    mark.advance(5);
    assert.deepEqual(log, ['a5', 'b5']);
    assert.throws(() => mark.move(4), /the mark only grows: 4 after 5/);
  });

  it('moves through a stretch in silence', () => {
    const mark = new Watermark('the mark', 0);
    const log: number[] = [];
    mark.subscribe((value) => log.push(value));
    mark.move(1);
    mark.move(2);
    assert.equal(mark.value, 2);
    assert.deepEqual(log, []);
    mark.publish();
    assert.deepEqual(log, [2]);
  });

  it('may be anywhere after a reset, of which nobody is told', () => {
    const mark = new Watermark('the mark', 7);
    let told = 0;
    mark.subscribe(() => told++);
    mark.reset(2);
    assert.equal(mark.value, 2);
    assert.equal(told, 0);
    mark.advance(3);
    assert.equal(told, 1);
  });
});

describe('Deferred', () => {
  it('is settled from outside, once', async () => {
    const value = new Deferred<number>();
    value.resolve(1);
    value.resolve(2);
    value.reject(new Error('late'));
    assert.equal(await value.promise, 1);
    const failed = new Deferred();
    failed.reject(new Error('broken'));
    await assert.rejects(failed.promise, /broken/);
  });
});
