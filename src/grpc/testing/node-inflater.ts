/** Inflates with node:zlib, within a bound. */

import { gunzip, inflate } from 'node:zlib';
import type { Inflater } from '../hooks.js';

export const deflateInflater: Inflater = {
  inflate: (encoding, bytes, maxBytes) =>
    new Promise((resolve, reject) => {
      const run = encoding === 'gzip' ? gunzip : inflate;
      run(bytes, { maxOutputLength: maxBytes }, (error, whole) => {
        if (error === null) resolve(whole);
        else if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') resolve(undefined);
        else reject(error);
      });
    }),
};
