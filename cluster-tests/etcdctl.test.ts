import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { which } from '../scripts/lib/binary.js';
import { withCluster } from './harness.js';

const run = promisify(execFile);

describe("etcdctl, Debian's 3.4, unmodified", function () {
  this.timeout(60_000);
  const installed = which('etcdctl') !== undefined;
  if (!installed) {
    it('speaks to the cluster (pending: there is no etcdctl on the PATH)');
    return;
  }
  const fixture = withCluster('etcdctl');

  /** Standard output, without the last newline. */
  async function ctl(args: string, input?: string): Promise<string> {
    const endpoints = fixture.cluster.urls.join(',');
    const env = { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: endpoints };
    const done = run('etcdctl', args.split(' '), { env, timeout: 15_000 });
    if (input !== undefined) done.child.stdin?.end(input);
    return (await done).stdout.replace(/\n$/, '');
  }

  const json = async (args: string): Promise<Record<string, unknown>> => JSON.parse(await ctl(`${args} -w json`)) as Record<string, unknown>;
  const revision = async (): Promise<number> => ((await json('get nothing'))['header'] as { revision: number }).revision;

  async function fill(): Promise<void> {
    for (const [key, value] of [['k/b', '2'], ['k/a', '3'], ['k/c', '1']]) assert.equal(await ctl(`put ${key} ${value}`), 'OK');
  }

  it('put and get: one key, a prefix, from a key, with a limit, in every order', async () => {
    await fill();
    assert.equal(await ctl('get k/a'), 'k/a\n3');
    assert.equal(await ctl('get --prefix k/'), 'k/a\n3\nk/b\n2\nk/c\n1');
    assert.equal(await ctl('get --from-key k/b --limit=2'), 'k/b\n2\nk/c\n1');
    assert.equal(await ctl('get k/a k/c'), 'k/a\n3\nk/b\n2');
    assert.equal(await ctl('get --prefix k/ --order=DESCEND --keys-only'), 'k/c\n\nk/b\n\nk/a\n');
    assert.equal(await ctl('get --prefix k/ --sort-by=VALUE --order=ASCEND --print-value-only'), '1\n2\n3');
    assert.equal(await ctl('get --prefix k/ --sort-by=MODIFY --order=ASCEND --limit=1'), 'k/b\n2');
    const limited = await ctl('get --prefix k/ --limit=1 -w fields');
    assert.match(limited, /"More" : true/);
    assert.match(limited, /"Count" : 3/);
    // Debian's 3.4.23 has no --count-only; later ones do.
    if ((await ctl('get --help')).includes('--count-only')) {
      assert.match(await ctl('get --prefix k/ --count-only -w fields'), /"Count" : 3/);
    }
    assert.equal(await ctl('get k/a --consistency=s'), 'k/a\n3');
  });

  it('get --rev reads the past, and compaction ends it', async () => {
    await ctl('put past then');
    const then = await revision();
    await ctl('put past now');
    assert.equal(await ctl(`get past --rev=${then}`), 'past\nthen');
    const now = await revision();
    assert.equal(await ctl(`compaction ${now}`), `compacted revision ${now}`);
    await assert.rejects(ctl(`get past --rev=${then}`), /required revision has been compacted/);
    assert.equal(await ctl('get past'), 'past\nnow');
  });

  it('del says how many and, with --prev-kv, what', async () => {
    await fill();
    assert.equal(await ctl('del k/a --prev-kv'), '1\nk/a\n3');
    assert.equal(await ctl('del --prefix k/'), '2');
    assert.equal(await ctl('del k/a'), '0');
  });

  it('txn takes either branch', async () => {
    await ctl('put t 1');
    const script = 'value("t") = "1"\n\nput t 2\nget t\n\nget t\n\n';
    assert.equal(await ctl('txn', script), 'SUCCESS\n\nOK\n\nt\n2');
    assert.equal(await ctl('txn', script), 'FAILURE\n\nt\n2');
    assert.equal(await ctl('txn', 'mod("t") > "0"\nversion("t") = "2"\n\ndel t\n\n\n'), 'SUCCESS\n\n1');
  });

  it('endpoint health and status, also --cluster, and member list', async () => {
    const health = await run('etcdctl', ['endpoint', 'health', '--cluster'], {
      env: { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: fixture.cluster.urls[0] },
    });
    assert.equal((health.stdout + health.stderr).match(/is healthy/g)?.length, 3);
    const status = JSON.parse(await ctl('endpoint status --cluster -w json')) as { Status: { leader: number; version: string; header: { member_id: number } } }[];
    assert.equal(status.length, 3);
    assert.equal(new Set(status.map((s) => s.Status.leader)).size, 1);
    assert.ok(status.some((s) => s.Status.header.member_id === s.Status.leader));
    assert.match(status[0]?.Status.version ?? '', /^3\.\d+\.\d+/);
    const members = (await ctl('member list')).split('\n');
    assert.equal(members.length, 3);
    for (const line of members) assert.match(line, /^[0-9a-f]+, started, n\d, http:\/\/\S+, http:\/\/\S+, false$/);
  });
});
