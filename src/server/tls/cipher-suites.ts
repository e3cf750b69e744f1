/** Cipher suites as etcd's flag names them (IANA's names), in OpenSSL's words. */

const KEYS = ['ECDHE_ECDSA', 'ECDHE_RSA'];
const OPENSSL = new Map<string, string>([
  ['TLS_RSA_WITH_AES_128_CBC_SHA', 'AES128-SHA'],
  ['TLS_RSA_WITH_AES_256_CBC_SHA', 'AES256-SHA'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA256', 'AES128-SHA256'],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
  ['TLS_RSA_WITH_AES_256_GCM_SHA384', 'AES256-GCM-SHA384'],
  ...KEYS.flatMap((keys): [string, string][] => {
    const name = keys.replace('_', '-');
    return [
      [`TLS_${keys}_WITH_AES_128_CBC_SHA`, `${name}-AES128-SHA`],
      [`TLS_${keys}_WITH_AES_256_CBC_SHA`, `${name}-AES256-SHA`],
      [`TLS_${keys}_WITH_AES_128_CBC_SHA256`, `${name}-AES128-SHA256`],
      [`TLS_${keys}_WITH_AES_128_GCM_SHA256`, `${name}-AES128-GCM-SHA256`],
      [`TLS_${keys}_WITH_AES_256_GCM_SHA384`, `${name}-AES256-GCM-SHA384`],
      [`TLS_${keys}_WITH_CHACHA20_POLY1305`, `${name}-CHACHA20-POLY1305`],
      [`TLS_${keys}_WITH_CHACHA20_POLY1305_SHA256`, `${name}-CHACHA20-POLY1305`],
    ];
  }),
]);

/** Of TLS 1.3: they cannot be chosen, as in Go. */
const ALWAYS = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'];

/** Names that may be asked for. */
export const CIPHER_SUITES: readonly string[] = [...OPENSSL.keys(), ...ALWAYS];

/** Undefined for no names: Node's default. Each must be one of {@link CIPHER_SUITES}. */
export function opensslCiphers(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  return [...ALWAYS, ...names.flatMap((name) => OPENSSL.get(name) ?? [])].join(':');
}
