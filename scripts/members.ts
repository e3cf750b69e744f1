/**
 * Membership drill: a cluster of real processes grows from one member to five, a member that was
 * killed is replaced, and it shrinks to one again, its leader among those that go, all under
 * concurrent writers. Holds only if no acknowledged write is lost, the recorded histories are
 * linearizable, and there is never a second without an acknowledged write.
 */

import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, whole } from './lib/command.js';
import { LoadProcess } from './lib/load/process.js';
import { memberRound, Members, type MemberRound } from './lib/members.js';
import { bad, good, say, table, verdictMark } from './lib/print.js';

const HELP = `Adds, replaces and removes members of a cluster of real processes under load.

  npm run drill:members
  npm run drill:members -- --writers 64 --readers 8
  npm run drill:members -- --max-gap 4000           on a machine that does other things beside

Exit code 0 only if in every phase no acknowledged write is lost or wrong on any member, the history is linearizable, and no time
without an acknowledged write is longer than --max-gap (1000 ms).
`;

const HEAD = ['phase', 'members afterwards', 'took ms', 'acknowledged', 'longest gap ms', 'lost or wrong', 'linearizable', ''];

function faultsOf(r: MemberRound, maxGapMs: number): string[] {
  const faults: string[] = [];
  if (!(r.gapMs <= maxGapMs)) faults.push(`${r.name}: no write was acknowledged for ${r.gapMs.toFixed(0)} ms`);
  if (r.missing + r.wrong + r.readErrors > 0) faults.push(`${r.name}: ${r.missing} missing, ${r.wrong} wrong, ${r.readErrors} read errors: ${r.firstFault}`);
  if (!r.history.passed) faults.push(`${r.name}: ${r.history.summary}`);
  return faults;
}

await runMain(HELP, async () => {
  const { values } = flags({
    writers: { type: 'string', default: '64' },
    readers: { type: 'string', default: '8' },
    'max-gap': { type: 'string', default: '1000' },
    dir: { type: 'string', default: 'members' },
  });
  const maxGapMs = whole(values['max-gap'], 'max-gap');
  const clients = { writers: whole(values.writers, 'writers', 1), readers: whole(values.readers, 'readers') };
  const cluster = await Cluster.create({ binary: binaryOf('kintsugi'), dir: values.dir, size: 1 });
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  await cluster.start();
  const members = new Members(cluster);
  await members.ready();
  say(`one node, work directory ${cluster.dir}`);
  const rounds: MemberRound[] = [];
  const first = cluster.node(0);

  rounds.push(await memberRound(cluster, load, { name: 'grow', ...clients, clients: [first] }, async () => {
    // The second voter of two must be there before it has a vote: until then nothing is committed.
    for (const learner of [true, true, false, true]) {
      const node = await members.add(learner);
      if (learner) await members.promote(node);
      say(`${node.name} is a voting member, ${learner ? 'after it was a learner' : 'at once'}`);
    }
  }));

  const dead = (await cluster.followers()).find((node) => node !== first) ?? first;
  const alive = cluster.nodes.filter((node) => node !== dead);
  rounds.push(await memberRound(cluster, load, { name: 'replace', ...clients, clients: alive }, async () => {
    const removed = await members.idOf(dead);
    await dead.stop('SIGKILL');
    members.forget(dead);
    const node = await members.add(true);
    await members.replace(removed, node);
    say(`${node.name} has taken the place of ${dead.name}, which was killed`);
  }));

  const stays = (await cluster.followers())[0] ?? first;
  rounds.push(await memberRound(cluster, load, { name: 'shrink', ...clients, clients: [stays] }, async () => {
    while (cluster.nodes.length > 1) {
      const leader = await cluster.leader();
      const goes = leader !== stays ? leader : (cluster.nodes.find((node) => node !== stays) ?? leader);
      await members.remove(goes);
      say(`${goes.name}${goes === leader ? ', which led,' : ''} was removed, and has ended`);
    }
  }));

  const faults = rounds.flatMap((round) => faultsOf(round, maxGapMs));
  console.log(table(HEAD, rounds.map((r) => [
    r.name, String(r.members), r.tookMs.toFixed(0), String(r.acknowledged), r.gapMs.toFixed(0), String(r.missing + r.wrong),
    r.history.passed ? good('yes') : bad('NO'), verdictMark(faultsOf(r, maxGapMs).length === 0),
  ])));
  for (const fault of faults) console.log(bad(fault));
  return faults.length === 0 ? 0 : 1;
});
