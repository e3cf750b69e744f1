import assert from 'node:assert/strict';
import { acquiring, type Closeable } from './acquiring.js';

describe('things that are opened one after the other', () => {
  it('stay open when all could be opened', async () => {
    const closed: string[] = [];
    assert.equal(await acquiring(async (keep) => Promise.resolve(keep(named('a', closed)).name)), 'a');
    assert.deepEqual(closed, []);
  });

  it('are closed, last first, each before the next, when one could not', async () => {
    const closed: string[] = [];
    const opening = acquiring(async (keep) => {
      keep(named('a', closed));
      keep({ close: () => Promise.reject(new Error('and it cannot be closed')) });
      keep({ close: async () => void (await Promise.resolve(), closed.push('c')) });
      await Promise.resolve();
      throw new Error('no fourth');
    });
    await assert.rejects(opening, /no fourth/);
    assert.deepEqual(closed, ['c', 'a']);
  });
});

function named(name: string, closed: string[]): Closeable & { readonly name: string } {
  return { name, close: () => void closed.push(name) };
}
