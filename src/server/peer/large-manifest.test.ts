import assert from 'node:assert/strict';
import { MiB } from '../../base/bytes.js';
import type { NetworkHandler } from '../../base/env.js';
import { silent } from '../../base/testing/silent.js';
import { newMessage } from '../../raft/message.js';
import { decodeMessages } from '../../raft/message-codec.js';
import { raftFrames } from '../../replica/wire/frame.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import { decodeManifest } from '../../storage/version/testing/decode-manifest.js';
import { largeVersion } from '../../storage/version/testing/large-version.js';
import { nodeClock, NodeRandom } from '../env/node-env.js';
import { freePorts } from '../free-ports.js';
import { PeerNetwork } from '../peer-network.js';

describe('a manifest larger than a frame once was', () => {
  const nets: PeerNetwork[] = [];

  afterEach(async () => {
    for (const net of nets.splice(0)) await net.stop();
  });

  function member(self: number, port: number, peer: number, peerPort: number): PeerNetwork {
    const net = new PeerNetwork({
      self, clusterId: 7n, listen: [`127.0.0.1:${port}`], peers: new Map([[peer, `http://127.0.0.1:${peerPort}`]]),
      clock: nodeClock, random: new NodeRandom(), events: silent, silentMs: 30_000,
    });
    nets.push(net);
    return net;
  }

  it('C1 reaches a peer as a snapshot, and as the answer to who asks for a version', async () => {
    const manifest = largeVersion(20_000, 500);
    const data = encodeManifest(manifest);
    assert.ok(data.length > 16 * MiB, `${data.length}`);
    const [pa = 0, pb = 0] = await freePorts(2);
    const [a, b] = [member(1, pa, 2, pb), member(2, pb, 1, pa)];
    const ignore = (): void => undefined;
    const nothing: NetworkHandler = { onFrame: ignore, onCall: () => Promise.resolve(data), onDisconnect: ignore, onRemoved: ignore };
    const received = new Promise<Uint8Array>((resolve) => {
      void b.start({ ...nothing, onFrame: (_from, frame) => resolve(frame) });
    });
    await a.start(nothing);
    while (!a.isUp(2) || !b.isUp(1)) await new Promise((resolve) => setImmediate(resolve));
    const message = newMessage('MsgSnap', 1, 2, 2);
    const confState = { voters: [1, 2], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    message.snapshot = { metadata: { index: 9, term: 2, confState }, data };
    for (const { bytes, lane } of raftFrames([message], MiB)) a.send(2, bytes, lane);
    const [snapshot] = decodeMessages(await received, 1);
    const arrived = decodeManifest(snapshot?.snapshot?.data ?? new Uint8Array(0));
    assert.ok(Buffer.from(encodeManifest(arrived)).equals(data));
    const answer = await b.call(1, 'snapshot.manifest', new Uint8Array(0), 20_000);
    assert.equal(decodeManifest(answer).list().length, 20_000);
  }).timeout(40_000);
});
