/** Members, endpoints, alarms, leadership, downgrade. */

import { join } from 'node:path';
import { freePorts } from '../../../../src/server/free-ports.js';
import { ClusterNode } from '../../node.js';
import { lines, pause, split, type CtlCase } from './case.js';
import type { Etcdctl } from './etcdctl.js';
import { byLease as byLine, byName, shapeOf } from './words.js';

/** Only its columns, and how many rows. */
const byTable = (text: string): string => text.split('\n').map((line, i) => (i === 1 ? line.replace(/ +/g, ' ') : '')).join('\n');
const FORMS = ['simple', 'json', 'table', 'fields'];

const members: CtlCase = {
  name: 'member: list, add, update, promote, remove; a learner that becomes a voter',
  async run(ctl) {
    for (const form of FORMS) await ctl.run(['member', 'list', '-w', form], form === 'table' ? { tidy: byTable } : { tidy: byName });
    const [clientPort = 0, peerPort = 0, metricsPort = 0] = await freePorts(3);
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    for (const wrong of ['add', 'add late', 'add late --peer-urls=nonsense', 'add --peer-urls=http://127.0.0.1:1', 'update 12', 'promote', 'remove', 'remove nonsense', 'remove 12', 'promote 12', 'update 12 --peer-urls=http://127.0.0.1:1']) {
      await ctl.run(['member', ...split(wrong)], { only: /Error|exit|Usage/ });
    }
    // etcd takes no member until all have been connected for 5 s.
    const add = ['member', 'add', 'late', `--peer-urls=${peerUrl}`, '--learner'];
    let added = await ctl.quietly(...add);
    for (const deadline = Date.now() + 15_000; added.includes('unhealthy cluster') && Date.now() < deadline; added = await ctl.quietly(...add));
    ctl.tell('member add late --learner', added.split('\n').map((line) => (line.startsWith('ETCD_INITIAL_CLUSTER=') ? line.replace(/"(.*)"/, (_, all: string) => all.split(',').sort().join(',')) : line)).join('\n'));
    const id = /Member\s+([0-9a-f]+) added/.exec(added)?.[1] ?? '0';
    // An id of etcd's is a hash of the URLs and the second.
    await pause(1_100);
    await ctl.run(['member', 'add', 'later', `--peer-urls=${peerUrl}`]);
    await ctl.run(['member', 'promote', id]);
    await ctl.run(['member', 'list'], { tidy: byName });
    await lives(ctl, id, { clientPort, peerPort, metricsPort });
    await ctl.run(['member', 'update', id, '--peer-urls=http://127.0.0.1:45998'], { codeOnly: true });
    await ctl.run(['member', 'remove', id], { codeOnly: true });
    await ctl.run(['member', 'remove', id]);
    await ctl.run(['member', 'list'], { tidy: byName });
  },
};

/** The learner is started, has everything, is promoted, and answers as every member. */
async function lives(ctl: Etcdctl, id: string, { clientPort, peerPort, metricsPort }: Readonly<Record<string, number>>): Promise<void> {
  const { spec } = ctl.cluster.node(0);
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`];
  const late = new ClusterNode({
    ...spec, name: 'late', dataDir: join(ctl.cluster.dir, 'late'), logFile: join(ctl.cluster.dir, 'late.log'), clientUrl, peerUrl, advertisedPeerUrl: peerUrl,
    metricsUrl: `http://127.0.0.1:${metricsPort}`, initialCluster: `${spec.initialCluster},late=${peerUrl}`, existing: true,
  });
  ctl.cluster.nodes.push(late);
  try {
    late.start();
    ctl.tell('the learner answers', String(await ctl.until(/, \d+\.\d+\.\d+, /, 90_000, clientUrl, 'endpoint', 'status')));
    await ctl.run(['get', 'k', '--consistency=l'], { at: clientUrl });
    await ctl.run(['put', 'k', 'x'], { at: clientUrl });
    await ctl.run(['member', 'list'], { at: clientUrl, tidy: byName });
    ctl.tell('the learner is promoted', String(await ctl.until(/promoted/, 60_000, 0, 'member', 'promote', id)));
    await ctl.run(['member', 'promote', id]);
    ctl.tell('the member reads', String(await ctl.until(/^$/, 30_000, clientUrl, 'get', 'member/none')));
    await ctl.run(['put', 'member/late', 'x'], { at: clientUrl });
    await ctl.run(['get', 'member/late']);
    ctl.tell('the member is removed', String(/removed/.test(await ctl.quietly('member', 'remove', id))));
  } finally {
    await late.stop('SIGKILL');
    late.endpoint.close();
    ctl.cluster.nodes.pop();
  }
}

/** The first member leads: who is the leader is told. */
async function firstLeads(ctl: Etcdctl): Promise<void> {
  const status = async (url: string): Promise<string> => ctl.at(url, 'endpoint', 'status', '-w', 'fields');
  const first = BigInt(/"MemberID" : (\d+)/.exec(await status(ctl.urls[0] ?? ''))?.[1] ?? 0);
  for (const url of ctl.urls.slice(1)) {
    const [, self, leader] = /"MemberID" : (\d+)[^]*"Leader" : (\d+)/.exec(await status(url)) ?? [];
    if (self !== undefined && self === leader) await ctl.at(url, 'move-leader', first.toString(16));
  }
}

/**
 * How many there are. A member of etcd that compacts still, which takes longer on a busy machine,
 * gives another one until it is done; ours may not.
 */
async function distinctHashes(ctl: Etcdctl): Promise<number> {
  const isOurs = ctl.cluster.nodes.every(({ spec }) => spec.binary.kind === 'kintsugi');
  for (let tries = 0; ; tries++) {
    const hashes = JSON.parse(await ctl.at('all', 'endpoint', 'hashkv', '-w', 'json')) as { HashKV: { hash: number; compact_revision: number } }[];
    const { size } = new Set(hashes.map(({ HashKV }) => `${HashKV.hash} ${HashKV.compact_revision}`));
    if (size === 1 || tries === 20 || isOurs) return size;
    await pause(250);
  }
}

const endpoints: CtlCase = {
  name: 'endpoint: health, status, hashkv; one and all; one that is gone',
  async run(ctl) {
    await ctl.quietly('put', 'hashed', '1');
    await firstLeads(ctl);
    for (const form of FORMS) {
      for (const verb of ['health', 'status', 'hashkv']) {
        await ctl.run(['endpoint', verb, '-w', form], verb === 'status' ? { tidy: shapeOf } : {});
        await ctl.run(['endpoint', verb, '-w', form, '--cluster'], form === 'simple' ? { tidy: (text) => byLine(shapeOf(text).replace(/, [0-9a-f]{8,16},/g, ', id,')) } : { codeOnly: true });
      }
    }
    // No revision that was compacted at: of those etcd may remember the hash, and tell it.
    await ctl.run(['endpoint', 'hashkv', '--rev=2']);
    await ctl.run(['endpoint', 'hashkv', '--rev=999999']);
    // Each has applied all of it, then.
    for (const url of ctl.urls) await ctl.at(url, 'get', 'hashed');
    ctl.tell('all members hash the same', String(await distinctHashes(ctl)));
    const gone = ['--endpoints=127.0.0.1:1', '--dial-timeout=500ms', '--command-timeout=1s'];
    for (const verb of ['health', 'status', 'hashkv']) await ctl.run(['endpoint', verb, ...gone]);
    await ctl.run(['endpoint', 'health', '-w', 'json', ...gone]);
    await ctl.run(['endpoint', 'nonsense']);
  },
};

const upkeep: CtlCase = {
  name: 'alarm, defrag, move-leader',
  async run(ctl) {
    for (const line of ['alarm list', 'alarm list -w json', 'alarm list -w fields', 'alarm list -w table', 'alarm disarm', 'alarm nonsense']) await ctl.run(split(line));
    for (const line of ['defrag', 'defrag --cluster', 'defrag -w json', 'defrag more']) await ctl.run(split(line), { codeOnly: line.includes('--cluster') });
    await ctl.run(['move-leader', '1234567890abcdef'], { at: 'all' });
    await ctl.run(['move-leader']);
    await ctl.run(['move-leader', 'nonsense'], { at: 'all' });
    const leader = await ctl.cluster.leader();
    const { memberId } = await leader.grpcStatus();
    const other = ctl.cluster.nodes.find((node) => node !== leader);
    const to = (await other?.grpcStatus())?.memberId ?? 0n;
    ctl.tell('move-leader, asked of a follower', said(await ctl.at(other?.spec.clientUrl ?? '', 'move-leader', memberId.toString(16))));
    ctl.tell('move-leader', said(await ctl.at('all', 'move-leader', to.toString(16))));
    ctl.tell('who leads is who was named', String((await ctl.cluster.leader()) === other));
    await ctl.run(['put', 'after', 'moved']);
    await ctl.run(['get', 'after']);
  },
};

/** Whoever leads: ids alone differ. */
const said = (text: string): string => text.replace(/\b[0-9a-f]{6,16}\b/g, '*').replace(/127\.0\.0\.1:\d+/g, '*');

const downgrade = lines('downgrade', `
  downgrade validate
  downgrade validate 3.nonsense
  downgrade validate 2.9.0
  downgrade enable 2.9.0
  downgrade cancel
  downgrade`, '3.6');

export const CLUSTER_CASES: readonly CtlCase[] = [members, endpoints, upkeep, downgrade];
