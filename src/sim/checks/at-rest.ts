/**
 * Is the cluster at rest, and healed? Once no fault strikes any more, all nodes follow one leader,
 * have applied the same log, owe nothing, plan nothing, know of no fault, and hold the same tables
 * byte for byte as they were born, with nothing beside them. A node that stopped for good has no
 * part in it.
 */

import { ByteWriter } from '../../base/bytes.js';
import { digest128 } from '../../base/digest.js';
import type { Digest128 } from '../../base/ids.js';
import { decodeHintFile, HINTS_PATH } from '../../healing/hints/hint-file.js';
import { codeOf } from '../../base/errors.js';
import { REPAIRS_DIR } from '../../healing/repair/repair-store.js';
import type { Replica } from '../../replica/replica.js';
import { writeMembers } from '../../replica/state/members-codec.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import { tablePath } from '../../storage/table/table-meta.js';
import type { DamageOracle } from '../oracle/damage-oracle.js';
import type { WatchedNode } from '../cluster/watched-node.js';

const MAX_REASONS = 12;

/** Why not; empty: it is. The medium is read only when all that is cheap to ask is at rest. */
export function reasonsNotAtRest(nodes: readonly WatchedNode[], oracle: DamageOracle): string[] {
  const taking = nodes.filter((node) => node.state !== 'fenced' && node.state !== 'away');
  const reasons = taking.flatMap((node) => (node.running === undefined || node.state !== 'up' ? [`node ${node.id} is ${node.state}`] : []));
  if (reasons.length > 0) return reasons;
  const members = oracle.roster.members?.list ?? [];
  reasons.push(...(oracle.roster.members?.confState.learners ?? []).map((id) => `member ${id} is still a learner`));
  reasons.push(...members.filter(({ id }) => !nodes.some((node) => node.member === id)).map(({ id }) => `no machine has member ${id}`));
  reasons.push(...unequal(taking), ...taking.flatMap(busy));
  if (taking.length === nodes.filter(({ state }) => state !== 'away').length) reasons.push(...belowPrograms(taking));
  if (reasons.length === 0) reasons.push(...taking.flatMap((node) => unhealed(node, oracle)));
  return reasons.slice(0, MAX_REASONS);
}

function unequal(nodes: readonly WatchedNode[]): string[] {
  const reasons: string[] = [];
  const [first] = nodes;
  const wanted = first?.running?.replica;
  if (first === undefined || wanted === undefined) return reasons;
  const manifest = digest128(encodeManifest(wanted.tree.latest));
  const members = membersOf(wanted);
  if (wanted.leadership.leader === 0) reasons.push(`node ${first.id} knows no leader`);
  for (const { id, running } of nodes.slice(1)) {
    const replica = running?.replica;
    if (replica === undefined) continue;
    if (membersOf(replica) !== members) reasons.push(`nodes ${id} and ${first.id} know other members`);
    if (replica.leadership.leader !== wanted.leadership.leader) reasons.push(`node ${id} follows ${replica.leadership.leader}, node ${first.id} follows ${wanted.leadership.leader}`);
    if (replica.log.lastIndex() !== wanted.log.lastIndex()) {
      reasons.push(`the log of node ${id} ends at ${replica.log.lastIndex()}, that of node ${first.id} at ${wanted.log.lastIndex()}`);
    }
    if (replica.kv.revision !== wanted.kv.revision) reasons.push(`node ${id} is at revision ${replica.kv.revision}, node ${first.id} at ${wanted.kv.revision}`);
    if (replica.kv.compactRevision !== wanted.kv.compactRevision) reasons.push(`nodes ${id} and ${first.id} are compacted at different revisions`);
    if (digest128(encodeManifest(replica.tree.latest)) !== manifest) reasons.push(`nodes ${id} and ${first.id} have different manifests`);
    if (replica.state.version !== wanted.state.version) reasons.push(`nodes ${id} and ${first.id} know different versions of the cluster`);
  }
  return reasons;
}

/** Once all run a newer program, the cluster writes what all can read. */
function belowPrograms(nodes: readonly WatchedNode[]): string[] {
  const states = nodes.flatMap(({ running }) => (running === undefined ? [] : [running.replica.state]));
  const newest = Math.min(...states.map((state) => state.newest));
  return states.some(({ version }) => version < newest) ? [`the cluster is of version ${states[0]?.version ?? 0}, and all programs know ${newest}`] : [];
}

function membersOf({ membership }: Replica): Digest128 | undefined {
  const { newest } = membership;
  return newest.isStatic ? undefined : digest128(writeMembers(new ByteWriter(256), newest).finish());
}

function busy(node: WatchedNode): string[] {
  if (node.running === undefined) return [];
  const { replica, healing } = node.running;
  const { tree, applier, log } = replica;
  const hints = healing.hints();
  const facts: readonly (readonly [boolean, string])[] = [
    [applier.index < log.lastIndex(), `has applied ${applier.index} of ${log.lastIndex()}`],
    [applier.blockedBy !== undefined, `waits for a repair: ${applier.blockedBy ?? ''}`],
    [!replica.reads.open, 'does not serve yet'],
    [tree.owed().length > 0, `owes ${tree.owed().length} tables`],
    [tree.latest.plans.length > 0, `has ${tree.latest.plans.length} pending plans`],
    [tree.latest.seals.length > 0 || tree.sealedMemtables > 0, `has ${tree.latest.seals.length} pending flushes`],
    [tree.durable.last.index !== tree.latest.last.index, `has recorded ${tree.durable.last.index} of ${tree.latest.last.index}`],
    [hints.length > 0, `has hints: ${hints.slice(0, 3).map((hint) => `table ${hint.tableId} of node ${hint.node} ${hint.state}`).join(', ')}`],
  ];
  return facts.flatMap(([is, what]) => (is ? [`node ${node.id} ${what}`] : []));
}

function unhealed(node: WatchedNode, oracle: DamageOracle): string[] {
  const reasons: string[] = [];
  const live = new Set<string>();
  for (const meta of node.running?.replica.tree.durable.list() ?? []) {
    const path = tablePath(meta.id);
    live.add(path);
    if (!oracle.census.asBorn(node.id, meta)) reasons.push(`table ${meta.id} of node ${node.id} is not as it was born: ${describeFaults(node, oracle, meta.id)}`);
  }
  for (const { path } of node.disk.list()) {
    if (path.startsWith('tables/') && !live.has(path)) reasons.push(`node ${node.id} keeps ${path}, which nothing needs`);
    if (path.startsWith(`${REPAIRS_DIR}/`)) reasons.push(`node ${node.id} keeps ${path}`);
  }
  const hints = node.disk.medium(HINTS_PATH);
  const kept = hints === undefined ? 0 : hintsIn(hints);
  if (kept !== 0) reasons.push(`the hints file of node ${node.id} ${kept === undefined ? 'does not verify' : `has ${kept} hints`}`);
  return reasons;
}

function describeFaults(node: WatchedNode, oracle: DamageOracle, table: number): string {
  const meta = oracle.census.meta(table);
  const faults = meta === undefined ? undefined : oracle.census.faultsOf(node.id, meta);
  if (faults === undefined) return 'its digest is wrong';
  return faults.slice(0, 4).map(({ region, state }) => `${region.kind} at ${region.offset} ${state}`).join(', ') || 'its length is wrong';
}

/** Undefined: the file does not verify. */
function hintsIn(file: Uint8Array): number | undefined {
  try {
    return decodeHintFile(file).length;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
