import assert from 'node:assert/strict';
import { parseTimeout } from './timeout.js';

describe('grpc-timeout', () => {
  it('has six units and up to eight digits', () => {
    const cases: readonly [string, number][] = [
      ['1H', 3_600_000], ['2M', 120_000], ['5S', 5000], ['250m', 250], ['1500u', 1.5], ['4999999n', 4.999999], ['0n', 0], ['00000007S', 7000],
      ['99999999H', 359_999_996_400_000],
    ];
    for (const [text, ms] of cases) assert.ok(Math.abs((parseTimeout(text) as number) - ms) <= ms * 1e-12, text);
  });

  it('is malformed otherwise, in the words of grpc-go', () => {
    assert.equal(parseTimeout(''), 'transport: timeout string is too short: ""');
    assert.equal(parseTimeout('S'), 'transport: timeout string is too short: "S"');
    assert.equal(parseTimeout('123456789S'), 'transport: timeout string is too long: "123456789S"');
    assert.equal(parseTimeout('1234x'), 'transport: timeout unit is not recognized: "1234x"');
    assert.equal(parseTimeout('-1S'), 'strconv.ParseUint: parsing "-1": invalid syntax');
    assert.equal(parseTimeout('1.5S'), 'strconv.ParseUint: parsing "1.5": invalid syntax');
    assert.equal(parseTimeout(' 1S'), 'strconv.ParseUint: parsing " 1": invalid syntax');
  });
});
