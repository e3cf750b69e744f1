/**
 * Whole numbers as proto3 JSON writes them: in digits, with a fraction that is zero or an exponent
 * too, within the range of their kind, and exactly.
 */

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/;
/** Digits of the largest that any kind has. */
const MAX_DIGITS = 20;

const RANGES: Readonly<Record<string, readonly [least: bigint, most: bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** Undefined: no whole number, or not of this kind. */
export function parseInteger(text: string, kind: string): bigint | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  if (sign === undefined || /^0\d/.test(whole)) return undefined;
  const digits = (whole + fraction).replace(/0+$/, '');
  if (digits.replaceAll('0', '') === '') return 0n;
  // Of what the digits say, so many are before the point.
  const before = whole.length + Number(exponent);
  if (before < digits.length || before - whole.length - fraction.length > MAX_DIGITS) return undefined;
  const text_ = digits.padEnd(before, '0').replace(/^0+/, '');
  if (text_.length > MAX_DIGITS) return undefined;
  const value = BigInt(sign + text_);
  const [least, most] = RANGES[kind] ?? [0n, -1n];
  return value >= least && value <= most ? value : undefined;
}
