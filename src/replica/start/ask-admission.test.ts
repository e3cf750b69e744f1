import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env } from '../../base/env.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { testEnv, TestHub } from '../../base/testing/test-env.js';
import { encodeAdmissionAnswer, READMIT_METHOD } from '../readmission/call.js';
import { writeIntent } from '../readmission/intent.js';
import { DESCRIBE_METHOD, encodeDescription } from '../state/description.js';
import { Life } from '../state/life.js';
import { staticMembers } from '../state/members.js';
import { Membership } from '../state/membership.js';
import { askAdmissionFirst } from './ask-admission.js';
import { EarlyHandler } from './early-handler.js';
import type { ReplicaOptions } from './options.js';

const CLUSTER = 7n;
const GUEST = 50;
const configs = (...ids: number[]): { id: number; name: string; peerUrls: string[] }[] =>
  ids.map((id) => ({ id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] }));
const LIES = {
  'in its answer': () => Promise.resolve(encodeAdmissionAnswer({ says: 'removed' })),
  'as a refusal of the call': () => Promise.reject(new NetworkError('REMOVED', 'this member was removed')),
};

describe('a member that asks to be let in again', () => {
  for (const [how, lie] of Object.entries(LIES)) {
    it(`R5 is not ended by one that only talks to it and says ${how} that it was removed, but by one that its flags name`, async () => {
      const disk = new MemoryDisk();
      await writeIntent(disk, { stage: 'asks', clusterId: CLUSTER, shown: [1], byName: false, id: 99, why: 'a test', replaces: 0, past: 0 });
      const members = { ...staticMembers(configs(1, 2, 3, GUEST)), isStatic: false };
      let lied = 0;
      const call = (to: NodeId, method: string): Promise<Uint8Array> => {
        if (to === GUEST && method === DESCRIBE_METHOD) return Promise.resolve(encodeDescription({ clusterId: CLUSTER, members }));
        if (to === GUEST && method === READMIT_METHOD && ++lied > 0) return lie();
        if (to === 2 && method === READMIT_METHOD && lied >= 3) return LIES['in its answer']();
        return Promise.reject(new NetworkError('UNREACHABLE', 'nobody listens'));
      };
      const plain = testEnv(1, disk, new TestHub(), () => undefined);
      const network = { ...plain.network, start: () => Promise.resolve(), call, guests: () => [GUEST], setPeers: () => undefined };
      const clock: Env['clock'] = {
        now: () => 0, wallNow: () => 0, defer: (fn) => void setImmediate(fn),
        setTimer: (_ms, fn) => {
          const handle = setImmediate(fn);
          return { cancel: () => clearImmediate(handle) };
        },
      };
      const env: Env = { ...plain, clock, network: { ...network, describe: () => Promise.reject(new NetworkError('UNREACHABLE', 'nobody')) } };
      const options = { env, self: 1, clusterId: CLUSTER, members: configs(1, 2, 3), electionMs: 1_000 } as unknown as ReplicaOptions;
      const parts = { options, life: new Life(), membership: new Membership(1, configs(1, 2, 3)), early: new EarlyHandler(env.network) };
      await assert.rejects(askAdmissionFirst(parts), (error) => codeOf(error) === 'REMOVED');
      assert.ok(lied >= 3, `${lied} answers of the guest did not end it`);
    });
  }
});
