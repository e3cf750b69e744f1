/**
 * SHA-256 from a WebAssembly module that ships inside hash-wasm: of backups alone, whose last 32
 * bytes are one, as clients of etcd expect. Everything else has the digests of `digest.ts`.
 */

import { createSHA256, type IHasher } from 'hash-wasm';

export const SHA256_BYTES = 32;

export class Sha256 {
  readonly #hasher: IHasher;

  private constructor(hasher: IHasher) {
    this.#hasher = hasher;
  }

  /** One of its own: any number may be under way. */
  static async create(): Promise<Sha256> {
    return new Sha256((await createSHA256()).init());
  }

  update(bytes: Uint8Array): this {
    this.#hasher.update(bytes);
    return this;
  }

  /** Once, after the last byte. */
  digest(): Uint8Array {
    return this.#hasher.digest('binary');
  }
}
