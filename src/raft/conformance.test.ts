/**
 * The data-driven tests of etcd-io/raft and their supplement, run by the harness in ../shared
 * beside the checkout (or in KINTSUGI_SHARED). Without the harness every file is pending by name.
 */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { adapter } from './testing/conformance-adapter.js';

interface Harness {
  defineTests(given: unknown, options: { describe: unknown; it: unknown; testdata?: string }): void;
}

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const shared = process.env['KINTSUGI_SHARED'] ?? path.join(checkout, '..', 'shared');
const folder = path.join(shared, 'raft-conformance');
const index = path.join(folder, 'index.mjs');

const FILES = {
  interaction:
    'async_storage_writes async_storage_writes_append_aba_race campaign checkquorum confchange_disable_validation ' +
    'confchange_v1_add_single confchange_v1_remove_leader confchange_v1_remove_leader_stepdown ' +
    'confchange_v2_add_double_auto confchange_v2_add_single_auto confchange_v2_add_single_explicit ' +
    'confchange_v2_replace_leader forget_leader forget_leader_read_only_lease_based ' +
    'heartbeat_resp_recovers_from_probing prevote prevote_checkquorum probe_and_replicate replicate_pause ' +
    'single_node snapshot_succeed_via_app_resp',
  quorum: 'joint_commit joint_vote majority_commit majority_vote',
  confchange:
    'joint_autoleave joint_idempotency joint_learners_next joint_safety simple_idempotency simple_promote_demote ' +
    'simple_safety update zero',
  supplement:
    'async_apply_stable change_commits commit_own_term inactive_follower joint_election needless_snapshot ' +
    'one_vote_per_term pending_change prevote_old_term repeated_append stale_rejection transfer_lagging ' +
    'transfer_removed transfer_timeout',
};

if (existsSync(index)) {
  const harness = (await import(pathToFileURL(index).href)) as Harness;
  harness.defineTests(adapter, { describe, it });
  harness.defineTests(adapter, {
    describe: (title: string, body: () => void) => describe(`${title} (supplement)`, body),
    it,
    testdata: path.join(folder, 'supplement', 'testdata'),
  });
} else {
  for (const [group, names] of Object.entries(FILES)) {
    describe(`raft conformance: ${group} (the harness is not here)`, () => {
      for (const name of names.split(' ')) it(name);
    });
  }
}
