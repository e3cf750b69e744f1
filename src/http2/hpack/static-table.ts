/**
 * The fields that both sides know from the beginning (RFC 7541, appendix A): the row with index i
 * is `STATIC_FIELDS[i - 1]`. Rows of one name stand together.
 */
export const STATIC_FIELDS: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** Indexes above it are those of the dynamic table. */
export const LAST_STATIC_INDEX = STATIC_FIELDS.length;

const byName = new Map<string, number>();
const byField = new Map<string, Map<string, number>>();
STATIC_FIELDS.forEach(([name, value], at) => {
  if (!byName.has(name)) byName.set(name, at + 1);
  byField.set(name, (byField.get(name) ?? new Map<string, number>()).set(value, at + 1));
});

/** The index of the row; 0 if there is none. */
export function staticIndex(name: string, value: string): number {
  return byField.get(name)?.get(value) ?? 0;
}

/** The index of the first row of that name; 0 if there is none. */
export function staticNameIndex(name: string): number {
  return byName.get(name) ?? 0;
}
