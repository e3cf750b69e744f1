import assert from 'node:assert/strict';
import { formatSecondsUs, parseIds, parseProfile, parseSecondsUs, parseSeeds, parseWhole, UsageFault } from './options.js';
import { replayCommand } from './replay.js';

describe('the words of kintsugi sim', () => {
  it('a range has both its ends, a list has ranges in it, no seed comes twice', () => {
    assert.deepEqual(parseSeeds('1..4'), [1, 2, 3, 4]);
    assert.deepEqual(parseSeeds('7'), [7]);
    assert.deepEqual(parseSeeds('9,3..5,4'), [9, 3, 4, 5]);
  });

  it('an empty, endless or misspelt range is refused', () => {
    for (const text of ['', '5..4', '1...5', '1-5', '..5', '1..', 'a', '-1..3', '1..9999999999', '99999999999999999999']) {
      assert.throws(() => parseSeeds(text), UsageFault, text);
    }
  });

  it('actions are a list, or none', () => {
    assert.deepEqual(parseIds('9,3,3'), [3, 9]);
    assert.deepEqual(parseIds('none'), []);
    assert.throws(() => parseIds('3,,9'), UsageFault);
  });

  it('seconds keep their microseconds, there and back', () => {
    for (const [text, us] of [['90', 90_000_000], ['12.345', 12_345_000], ['0.000001', 1]] as const) {
      assert.equal(parseSecondsUs('--until', text), us);
      assert.equal(formatSecondsUs(us), text);
    }
    for (const text of ['-1', '1.2345678', '1e3', '']) assert.throws(() => parseSecondsUs('--until', text), UsageFault);
  });

  it('numbers and profiles are checked', () => {
    assert.equal(parseWhole('--seed', '7', 0), 7);
    assert.throws(() => parseWhole('--workers', '0', 1), UsageFault);
    assert.throws(() => parseWhole('--seed', '7x', 0), UsageFault);
    assert.throws(() => parseProfile('half'), UsageFault);
    assert.throws(() => parseProfile('streams'), UsageFault);
    assert.equal(parseProfile('full+streams'), 'full+streams');
    assert.equal(parseProfile('full+ops'), 'full+ops');
  });

  it('the command that replays a case says all of it', () => {
    assert.equal(replayCommand({ seed: 7, profile: 'table' }), 'npm run sim -- --seed 7');
    assert.equal(
      replayCommand({ seed: 7, profile: 'full', only: [3, 9], faultsUntilUs: 12_345_000 }, '--tape'),
      'npm run sim -- --seed 7 --profile full --only 3,9 --until 12.345 --tape',
    );
    assert.equal(replayCommand({ seed: 7, profile: 'table', only: [] }), 'npm run sim -- --seed 7 --only none');
  });
});
