import assert from 'node:assert/strict';
import { KiB, MiB } from '../../base/bytes.js';
import { digest128 } from '../../base/digest.js';
import type { Env } from '../../base/env.js';
import { codeOf } from '../../base/errors.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import { largeVersion } from '../../storage/version/testing/large-version.js';
import type { LogPosition, Version } from '../../storage/version/version.js';
import { MAX_MESSAGE_BYTES } from '../base/limits.js';
import { messageOfVersion, receiveVersion, VERSION_PART_METHOD } from './version-message.js';
import { servePart } from './version-part.js';

const OWNER = 1;

/** An owner that keeps `manifest` for member 2, and what lies between the two. */
class Between {
  manifest: Version | undefined;
  readonly answers: number[] = [];
  slices = 0;
  readonly env: Pick<Env, 'network' | 'workers'>;

  constructor(manifest: Version) {
    this.manifest = manifest;
    const workers = { breathe: () => void this.slices++ };
    const kept = (to: number, last: LogPosition): Version | undefined =>
      to === 2 && last.index === this.manifest?.last.index ? this.manifest : undefined;
    const call = async (to: number, method: string, request: Uint8Array): Promise<Uint8Array> => {
      assert.deepEqual([to, method], [OWNER, VERSION_PART_METHOD]);
      const answer = await servePart({ workers }, { kept }, 2, request);
      this.answers.push(answer.length);
      return answer;
    };
    this.env = { workers, network: { call } as unknown as Env['network'] };
  }
}

describe('a version on its way to a peer', () => {
  it('goes whole as long as a message can hold it, as every program could always read it', async () => {
    const version = largeVersion(100, 500);
    const between = new Between(version);
    const message = messageOfVersion(version);
    assert.deepEqual(message, encodeManifest(version));
    const received = await receiveVersion(between.env, OWNER, message);
    assert.equal(received.bytes, message);
    assert.equal(received.manifest.list().length, 100);
    assert.deepEqual(between.answers, []);
  });

  it('C1 goes in parts and slices where no message could hold it', async () => {
    const version = largeVersion(620, 60 * KiB);
    const between = new Between(version);
    const message = messageOfVersion(version);
    assert.ok(message.length < KiB, `${message.length} bytes say what it is`);
    const received = await receiveVersion(between.env, OWNER, message);
    assert.ok(received.bytes.length > MAX_MESSAGE_BYTES);
    assert.equal(digest128(received.bytes), digest128(encodeManifest(version)));
    assert.equal(received.manifest.list().length, 620);
    assert.ok(between.answers.length > 15 && Math.max(...between.answers) <= 4 * MiB, between.answers.join());
    assert.ok(between.slices > 500, `${between.slices} slices`);
  }).timeout(60_000);

  it('is whole however its pieces lie to the parts', async () => {
    for (const keyBytes of [100, 40 * KiB]) {
      const version = largeVersion(Math.ceil((10 * MiB) / (2 * keyBytes + 200)), keyBytes);
      const between = new Between(version);
      const received = await receiveVersion(between.env, OWNER, messageOfVersion(version, MiB));
      assert.equal(digest128(received.bytes), digest128(encodeManifest(version)));
      assert.equal(between.answers.length, Math.ceil(received.bytes.length / (4 * MiB)));
      assert.ok(between.answers.length > 1);
    }
  }).timeout(60_000);

  it('S5 is given up with a typed error when its owner keeps it no more, or it is not wanted any more', async () => {
    const between = new Between(largeVersion(5_000, 500));
    const message = messageOfVersion(between.manifest as Version, MiB);
    const wanted = { cancelled: true };
    await assert.rejects(receiveVersion(between.env, OWNER, message, wanted), (error) => codeOf(error) === 'CODEC');
    between.manifest = undefined;
    await assert.rejects(receiveVersion(between.env, OWNER, message), (error) => codeOf(error) === 'CODEC');
    await assert.rejects(receiveVersion(between.env, OWNER, message.subarray(0, 6)), (error) => codeOf(error) === 'CODEC');
  });
});
