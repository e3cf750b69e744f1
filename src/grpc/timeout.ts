/**
 * `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP/2, "Timeout"). The words for a
 * bad one are grpc-go's.
 */

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

const MAX_DIGITS = 8;

/** Milliseconds, perhaps with a fraction; or, as text, why it is none. */
export function parseTimeout(text: string): number | string {
  const digits = text.length - 1;
  if (digits < 1) return `transport: timeout string is too short: ${JSON.stringify(text)}`;
  if (digits > MAX_DIGITS) return `transport: timeout string is too long: ${JSON.stringify(text)}`;
  const unitMs = UNIT_MS[text.charAt(digits)];
  if (unitMs === undefined) return `transport: timeout unit is not recognized: ${JSON.stringify(text)}`;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return `strconv.ParseUint: parsing ${JSON.stringify(text.slice(0, digits))}: invalid syntax`;
    value = value * 10 + digit;
  }
  return value * unitMs;
}
