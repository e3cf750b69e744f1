/** Inflates compressed requests on the thread pool, within a bound. */

import { gunzip, inflate } from 'node:zlib';
import type { Encoding, Inflater } from '../../grpc/hooks.js';

export class ZlibInflater implements Inflater {
  inflate(encoding: Encoding, bytes: Uint8Array, maxBytes: number): Promise<Uint8Array | undefined> {
    const run = encoding === 'gzip' ? gunzip : inflate;
    return new Promise((resolve, reject) => {
      run(bytes, { maxOutputLength: maxBytes }, (error, whole) => {
        if (error === null) resolve(whole);
        else if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') resolve(undefined);
        else reject(error);
      });
    });
  }
}
