/** What every disk must do: the same tests run over each implementation. */

import assert from 'node:assert/strict';
import { toHex, utf8 } from '../../bytes.js';
import type { Disk } from '../../disk.js';
import { codeOf } from '../../errors.js';

export interface DiskUnderTest {
  readonly disk: Disk;
  dispose?(): Promise<void>;
}

const hasCode = (code: string) => (error: unknown) => codeOf(error) === code;

function contents(disk: Disk, path: string): string {
  const file = disk.openSync(path, 'read');
  const bytes = new Uint8Array(file.size());
  assert.equal(file.readSync(bytes, 0), bytes.length);
  file.close();
  return new TextDecoder().decode(bytes);
}

async function put(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, 'create');
  file.writeSync(utf8(text), 0);
  await file.sync();
  file.close();
}

export function diskConformance(name: string, make: () => Promise<DiskUnderTest>): void {
  describe(`a disk (${name})`, () => {
    let disk: Disk;
    let dispose: (() => Promise<void>) | undefined;
    beforeEach(async () => {
      const made = await make();
      disk = made.disk;
      dispose = made.dispose?.bind(made);
    });
    afterEach(async () => {
      await dispose?.();
    });

    it('reads back what was written, here and by name, synchronously and not', async () => {
      const file = await disk.open('f', 'create');
      file.writeSync(utf8('hello'), 0);
      await file.write(utf8(' world'), 5);
      const into = new Uint8Array(4);
      assert.equal(file.readSync(into, 4), 4);
      assert.equal(new TextDecoder().decode(into), 'o wo');
      assert.equal(await file.read(into, 7), 4);
      assert.equal(new TextDecoder().decode(into), 'orld');
      await file.sync();
      file.close();
      assert.equal(contents(disk, 'f'), 'hello world');
      assert.equal(disk.sizeOf('f'), 11);
    });

    it('reads short only at the end of the file, and nothing behind it', async () => {
      await put(disk, 'f', 'abc');
      const file = disk.openSync('f', 'read');
      assert.equal(file.readSync(new Uint8Array(10), 1), 2);
      assert.equal(file.readSync(new Uint8Array(10), 3), 0);
      assert.equal(await file.read(new Uint8Array(10), 99), 0);
      file.close();
    });

    it('fills what lies between the end and a later write with zeros, also after a truncation', async () => {
      const file = await disk.open('f', 'create');
      file.writeSync(utf8('abcdef'), 0);
      await file.truncate(2);
      file.writeSync(utf8('x'), 4);
      assert.equal(file.size(), 5);
      const into = new Uint8Array(5);
      file.readSync(into, 0);
      assert.equal(toHex(into), '6162000078');
      await file.truncate(8);
      assert.equal(file.size(), 8);
      file.close();
    });

    it('opens by mode: an existing file for reading and writing, a new or emptied one for create', async () => {
      assert.throws(() => disk.openSync('f', 'read'), hasCode('NOT_FOUND'));
      assert.throws(() => disk.openSync('f', 'write'), hasCode('NOT_FOUND'));
      await assert.rejects(disk.open('f', 'read'), hasCode('NOT_FOUND'));
      await put(disk, 'f', 'abc');
      disk.openSync('f', 'open-or-create').close();
      assert.equal(contents(disk, 'f'), 'abc');
      disk.openSync('f', 'create').close();
      assert.equal(contents(disk, 'f'), '');
      disk.openSync('g', 'open-or-create').close();
      assert.equal(disk.sizeOf('g'), 0);
    });

    it('refuses writes to a file that is open for reading', async () => {
      await put(disk, 'f', 'abc');
      const file = disk.openSync('f', 'read');
      assert.throws(() => file.writeSync(utf8('x'), 0), hasCode('WRITE_FAILED'));
      file.close();
      assert.equal(contents(disk, 'f'), 'abc');
    });

    it('refuses the use of a closed file', async () => {
      const file = await disk.open('f', 'create');
      file.close();
      assert.throws(() => file.readSync(new Uint8Array(1), 0), hasCode('CLOSED'));
      assert.throws(() => file.writeSync(new Uint8Array(1), 0), hasCode('CLOSED'));
      await assert.rejects(file.sync(), hasCode('CLOSED'));
    });

    it('reads past the caches at any offset and length, by name', async () => {
      const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 7) % 251);
      const file = await disk.open('f', 'create');
      file.writeSync(bytes, 0);
      await file.sync();
      for (const [offset, length] of [[0, 20_000], [1, 1], [4095, 4098], [8192, 4096], [19_990, 100], [20_000, 5], [30_000, 5]] as const) {
        const read = await disk.readDirect('f', offset, length);
        assert.equal(toHex(read.bytes), toHex(bytes.subarray(offset, offset + length)), `${offset}+${length}`);
      }
      file.close();
      await assert.rejects(disk.readDirect('nothing', 0, 1), hasCode('NOT_FOUND'));
    });

    it('lists names sorted, and nothing of a directory that is not there', async () => {
      assert.deepEqual(await disk.list('d/e'), []);
      await disk.mkdir('d/e');
      await disk.mkdir('d/e');
      await put(disk, 'd/e/b', '');
      await put(disk, 'd/e/a', '');
      await put(disk, 'd/f', '');
      assert.deepEqual(await disk.list('d/e'), ['a', 'b']);
      assert.deepEqual(await disk.list('d'), ['e', 'f']);
      await disk.syncDir('d/e');
      await disk.syncDir('');
    });

    it('creates no file in a directory that is not there', async () => {
      assert.throws(() => disk.openSync('no/f', 'create'), hasCode('NOT_FOUND'));
      await assert.rejects(disk.syncDir('no'), hasCode('NOT_FOUND'));
      assert.equal(disk.sizeOf('no/f'), undefined);
    });

    it('renames over an existing name, and an open file follows its contents', async () => {
      await put(disk, 'a', 'new');
      await put(disk, 'b', 'old');
      const old = disk.openSync('b', 'read');
      await disk.rename('a', 'b');
      assert.equal(disk.sizeOf('a'), undefined);
      assert.equal(contents(disk, 'b'), 'new');
      const into = new Uint8Array(3);
      old.readSync(into, 0);
      assert.equal(new TextDecoder().decode(into), 'old');
      old.close();
      await assert.rejects(disk.rename('a', 'c'), hasCode('NOT_FOUND'));
    });

    it('links share contents, replace what was there, and outlive each other', async () => {
      await put(disk, 'a', 'one');
      await put(disk, 'b', 'two');
      await disk.link('a', 'b');
      await disk.link('a', 'b');
      const file = disk.openSync('a', 'write');
      file.writeSync(utf8('ONE'), 0);
      file.close();
      assert.equal(contents(disk, 'b'), 'ONE');
      await disk.unlink('a');
      assert.equal(contents(disk, 'b'), 'ONE');
      assert.deepEqual(await disk.list(''), (await disk.list('')).filter((entry) => entry === 'b' || entry === 'LOCK'));
    });

    it('unlinks what is there and forgives what is not', async () => {
      await put(disk, 'a', 'one');
      await disk.unlink('a');
      await disk.unlink('a');
      assert.equal(disk.sizeOf('a'), undefined);
    });
  });
}
