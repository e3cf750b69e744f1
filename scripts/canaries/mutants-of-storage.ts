/** Mutants in tables, the manifest and reads. */

import type { Mutant } from './canary.js';

export const MUTANTS_OF_STORAGE: readonly Mutant[] = [
  {
    name: 'produce-no-readback',
    what: 'What a member produced is reported by the bytes in memory, whatever became of them on the disk.',
    breaks: 'S6',
    killedBy: { file: 'storage/compaction/produce.test.ts', title: 'S6 a write that did not arrive is caught when the file is read back' },
    edits: [{ file: 'storage/compaction/output-files.ts', find: '    for (const table of this.#tables) await this.#readBack(table);\n', replace: '    for (const table of this.#tables) if (table.bytes === 0) await this.#readBack(table);\n' }],
  },
  {
    name: 'manifest-one-sync',
    what: 'The copies of a manifest record are written before any of them is synced: one power loss tears all.',
    breaks: 'S5',
    killedBy: { file: 'storage/version/manifest-store.test.ts', title: 'a crash between any two writes leaves the last durable version' },
    edits: [
      {
        file: 'storage/version/manifest-files.ts',
        find: '    await written(this.#main, first, offset);\n    const others = await Promise.allSettled([\n      ',
        replace: '    const others = await Promise.allSettled([\n      written(this.#main, first, offset), ',
      },
    ],
  },
  {
    name: 'third-copy-proves-nothing',
    what: 'A record of which only a damaged third copy is left counts as never written: an older manifest is taken for the newest.',
    breaks: 'S4',
    killedBy: { file: 'storage/version/manifest-files.test.ts', title: 'S4 what is left of the third copy of the last record, and nothing of the others, gives it or an error' },
    edits: [
      {
        file: 'storage/version/manifest-reader.ts',
        find: '    ?? thirdCopyProof(third, offset, place, claimsFrom(third, offset, scheme), scheme);',
        replace: '    ?? (place.record > 0 ? undefined : thirdCopyProof(third, offset, place, claimsFrom(third, offset, scheme), scheme));',
      },
    ],
  },
  {
    name: 'manifest-damage-kept',
    what: 'A manifest file in which damage was met goes on being used: with the next damage all copies of a record are gone.',
    breaks: 'D1',
    killedBy: { file: 'storage/version/manifest-store.test.ts', title: 'D1 any one zeroed page and any flipped byte is made up for, and the file replaced' },
    edits: [{ file: 'storage/version/manifest-store.ts', find: 'if (contents.damaged) await', replace: 'if (contents.damaged && contents.offset === 0) await' }],
  },
  {
    name: 'reverse-read-seeks-the-first-write',
    what: 'A read backwards over a key of many versions finds the first write of a transaction to it, not the last.',
    breaks: 'S2',
    killedBy: { file: 'storage/iterator/merged-walk.test.ts', title: 'gives the newest version at every revision, both ways, of histories that fill many blocks' },
    edits: [
      {
        file: 'storage/iterator/run-key-cursor.ts',
        find: "        this.#seekTo(withRevision(this.#prefix(slot), revision, MAX_SUB));\n        assert(this.#inKey(slot), 'a version that was seen is found again');",
        replace: "        this.#seekTo(withRevision(this.#prefix(slot), revision, 0));\n        assert(this.#inKey(slot), 'a version that was seen is found again');",
      },
    ],
  },
  {
    name: 'filter-skips-a-neighbour',
    what: 'A key is not put into the filter if it ends as the one before it does.',
    breaks: 'D1',
    killedBy: { file: 'storage/table/filter-of-table.test.ts', title: 'has every key, however alike neighbours are and wherever they differ' },
    edits: [
      {
        file: 'storage/table/table-writer.ts',
        find: '    if (first || keyEnd !== this.#lastKeyBytes || common < prefixBytes) this.#filter.add(key, prefixBytes);\n',
        replace: '    const tail = key.slice(Math.max(0, prefixBytes - 8), prefixBytes).join();\n' +
          "    const before = first ? '' : this.lastKey.slice(Math.max(0, prefixBytes - 8), prefixBytes).join();\n" +
          '    if (first || keyEnd !== this.#lastKeyBytes || tail !== before) this.#filter.add(key, prefixBytes);\n',
      },
    ],
  },
];
