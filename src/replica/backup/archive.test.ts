import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { digest128 } from '../../base/digest.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { codeOf } from '../../base/errors.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import { Version } from '../../storage/version/version.js';
import { ArchiveFile } from './archive-file.js';
import {
  archiveSize, CHUNK_BYTES, CHUNK_CONTENT_BYTES, decodeHeader, encodeHeader, headerLength, type ArchiveHeader,
} from './archive-layout.js';
import { ArchiveWriter } from './archive-writer.js';

const workers = { breathe: () => undefined };
const manifest = encodeManifest(Version.empty());

function headerOf(over: Partial<ArchiveHeader> = {}): ArchiveHeader {
  return {
    clusterId: 0xfedc_ba98_7654_3210n, memberId: 3, index: 100, term: 7, revision: 51, compactRevision: 12, keys: 9, clusterVersion: 1,
    manifestBytes: manifest.length, manifestDigest: digest128(manifest), included: 'all', ...over,
  };
}

async function archiveOf(...content: readonly Uint8Array[]): Promise<Uint8Array> {
  const writer = await ArchiveWriter.create(content.reduce((sum, part) => sum + part.length, 0));
  const out: Uint8Array[] = [];
  for (const part of content) out.push(...writer.push(part));
  out.push(...writer.end());
  return Buffer.concat(out);
}

function diskWith(bytes: Uint8Array): MemoryDisk {
  const disk = new MemoryDisk();
  const file = disk.openSync('a', 'create');
  file.writeSync(bytes, 0);
  return disk;
}

describe('the bytes of an archive', () => {
  it('are whole sectors and a SHA-256 over all of them, whatever the content: what clients of etcd take', async () => {
    const whole = CHUNK_CONTENT_BYTES;
    for (const length of [1, 495, 496, 497, whole - 1, whole, whole + 1, 3 * whole + 77]) {
      const bytes = await archiveOf(new Uint8Array(length).fill(7));
      assert.equal(bytes.length % 512, 32, `${length}`);
      assert.equal(bytes.length, archiveSize(length).file);
      assert.deepEqual(Buffer.from(bytes.subarray(-32)), createHash('sha256').update(bytes.subarray(0, -32)).digest());
    }
  });

  it('are the same however the content is cut', () =>
    fc.assert(fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(299), async (content, cut) => {
      assert.deepEqual(await archiveOf(content.subarray(0, cut), content.subarray(cut)), await archiveOf(content));
    })));

  it('say what the header said', () => {
    for (const included of ['all', [], [true], Array.from({ length: 21 }, (_, i) => i % 3 === 0)] as const) {
      const header = headerOf({ included });
      const bytes = encodeHeader(header);
      assert.equal(headerLength(bytes), bytes.length);
      assert.deepEqual(decodeHeader(bytes), header);
    }
  });

  it('give their version, and nothing is wrong with them', async () => {
    const archive = await ArchiveFile.open(diskWith(await archiveOf(encodeHeader(headerOf()), manifest)), 'a', workers);
    assert.equal(archive.header.revision, 51);
    assert.deepEqual(archive.version, Version.empty());
    assert.deepEqual(await archive.damages(), []);
  });

  it('S4 with any bit flipped are refused, or said to be damaged at that place', async () => {
    const good = await archiveOf(encodeHeader(headerOf()), manifest);
    for (let bit = 0; bit < good.length * 8; bit += 5) {
      const bytes = good.slice();
      const at = bit >> 3;
      bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
      try {
        const damages = await (await ArchiveFile.open(diskWith(bytes), 'a', workers)).damages();
        assert.ok(damages.some(({ offset, length }) => offset <= at && at < offset + length), `bit ${bit}: ${JSON.stringify(damages)}`);
      } catch (error) {
        assert.match(codeOf(error) ?? String(error), /DAMAGED|NOT_A_BACKUP/, `bit ${bit}`);
      }
    }
  });

  it('S4 cut short, made longer, empty or foreign are refused', async () => {
    const good = await archiveOf(encodeHeader(headerOf()), manifest);
    const cut = [0, 10, 100, good.length - 32, good.length - 1].map((end) => good.subarray(0, end));
    for (const bytes of [...cut, Buffer.concat([good, new Uint8Array(512)])]) {
      await assert.rejects(ArchiveFile.open(diskWith(bytes), 'a', workers), (error) => /DAMAGED|NOT_A_BACKUP/.test(codeOf(error) ?? ''));
    }
    await assert.rejects(ArchiveFile.open(diskWith(new Uint8Array(70_000).fill(0x42)), 'a', workers), { code: 'NOT_A_BACKUP' });
  });

  it('S4 a chunk vouches for its place: the same content has another digest at each', async () => {
    const two = await archiveOf(new Uint8Array(2 * CHUNK_CONTENT_BYTES).fill(5));
    assert.notDeepEqual(two.subarray(0, CHUNK_BYTES), two.subarray(CHUNK_BYTES, 2 * CHUNK_BYTES));
  });
});
