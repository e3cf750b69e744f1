/**
 * Everything that etcdctl has, but for what reads etcd's own files, and what takes minutes (`check
 * perf`, `check datascale`: with --slow).
 */

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Etcdctl } from './etcdctl.js';

export interface CtlCase {
  readonly name: string;
  readonly slow?: boolean;
  run(ctl: Etcdctl): Promise<void>;
}

const split = (line: string): string[] => line.split(' ').map((word) => word.replaceAll('_', ' '));

/** One command a line. Blanks within a word are written as `_`. */
function lines(name: string, text: string): CtlCase {
  return {
    name,
    async run(ctl) {
      for (const line of text.trim().split('\n')) await ctl.run(split(line.trim()));
    },
  };
}

const kv = lines('put, get, del, compaction', `
  put k/a 1
  put k/b 2 --prev-kv
  put k/b 3 --prev-kv
  put k/c -- -dash
  put k/b --ignore-value
  put k/none --ignore-value
  get k/a
  get k/a k/c
  get --prefix k/
  get --prefix k/ --order=DESCEND --sort-by=VALUE
  get --prefix k/ --sort-by=MODIFY --limit=2
  get --prefix k/ --sort-by=CREATE --order=ASCEND
  get --prefix k/ --sort-by=VERSION --order=DESCEND
  get --prefix k/ --keys-only
  get --prefix k/ --print-value-only
  get --from-key k/b
  get k/a --consistency=s
  get k/a -w json
  get k/a -w fields
  get k/a --hex
  get k/none
  get k/a --rev=999999
  del k/a --prev-kv
  del k/a
  del --prefix k/ --prev-kv
  get --prefix k/
  compaction 3
  compaction 3
  compaction 4 --physical
  get k/b --rev=2
  compaction 999999
  put
  get
  del`);

const txn: CtlCase = {
  name: 'txn, given and interactive',
  async run(ctl) {
    await ctl.run(['put', 't', '1']);
    for (const input of ['value("t") = "1"\n\nput t 2\nget t\n\nget t\n\n', 'value("t") = "1"\n\nput t 3\n\nget t\ndel t\n\n', 'mod("t") > "0"\nversion("none") = "0"\n\nput a_b x\nget t\n\n\n', 'nonsense\n\n\n\n']) {
      await ctl.run(['txn'], { input });
      await ctl.run(['txn', '--interactive'], { input });
    }
  },
};

const watch: CtlCase = {
  name: 'watch: a key, a prefix, the past, prev-kv, exec, interactive',
  async run(ctl) {
    for (const args of [['watch', 'w'], ['watch', '--prefix', 'w', '--prev-kv'], ['watch', 'w', 'w2'], ['watch', 'w', '--', 'sh', '-c', 'echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE']]) {
      const watching = ctl.begin(...args);
      await new Promise((resolve) => setTimeout(resolve, 400));
      await ctl.quietly('put', 'w', 'first');
      await ctl.quietly('put', 'w1', 'beside');
      await ctl.quietly('del', 'w');
      await ctl.quietly('put', 'w', 'last');
      await watching.prints(/last/);
      await watching.end();
    }
    const from = (await ctl.quietly('get', 'w', '-w', 'json')).match(/"revision":(\d+)/)?.[1] ?? '1';
    await ctl.quietly('put', 'w', 'later');
    const past = ctl.begin('watch', '--prefix', 'w', `--rev=${Number(from) - 2}`);
    await past.prints(/later/);
    await past.end();
    const interactive = ctl.begin('watch', '-i');
    interactive.say('watch w');
    interactive.say('watch --prefix v');
    await new Promise((resolve) => setTimeout(resolve, 400));
    await ctl.quietly('put', 'v1', 'seen');
    await interactive.prints(/seen/);
    interactive.say('progress');
    await interactive.prints(/progress notify/);
    await interactive.end();
    await ctl.quietly('compaction', String(Number(from)));
    await ctl.run(['watch', 'w', '--rev=1']);
  },
};

const lease: CtlCase = {
  name: 'lease: grant, keep-alive, timetolive, list, revoke',
  async run(ctl) {
    await ctl.run(['lease', 'list']);
    const id = /lease ([0-9a-f]+)/.exec(await ctl.run(['lease', 'grant', '100']))?.[1] ?? '0';
    await ctl.run(['put', 'l/a', '1', `--lease=${id}`]);
    await ctl.run(['put', 'l/b', '1', '--lease=1234']);
    await ctl.run(['lease', 'list']);
    await ctl.run(['lease', 'keep-alive', id, '--once']);
    await ctl.run(['lease', 'timetolive', id, '--keys', '-w', 'fields'], { codeOnly: true });
    await ctl.run(['lease', 'revoke', id]);
    await ctl.run(['get', 'l/a']);
    await ctl.run(['lease', 'revoke', id]);
    await ctl.run(['lease', 'timetolive', id]);
    await ctl.run(['lease', 'keep-alive', id]);
    await ctl.run(['lease', 'grant', 'nonsense']);
  },
};

const locks: CtlCase = {
  name: 'lock and elect',
  async run(ctl) {
    await ctl.run(['lock', 'm', 'echo', 'locked']);
    const held = ctl.begin('lock', 'm');
    await held.prints(/m\//);
    const waits = ctl.begin('lock', 'm');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await held.end();
    await waits.prints(/m\//);
    await waits.end();
    const leader = ctl.begin('elect', 'e', 'one');
    await leader.prints(/one/);
    const listener = ctl.begin('elect', '-l', 'e');
    await listener.prints(/one/);
    await listener.end();
    await leader.end();
    await ctl.run(['get', '--prefix', 'm/', '--keys-only']);
  },
};

const cluster: CtlCase = {
  name: 'members, endpoints, alarms, defragmentation, leadership',
  async run(ctl) {
    for (const args of [['member', 'list'], ['member', 'list', '-w', 'json'], ['member', 'list', '-w', 'table']]) await ctl.run(args, { codeOnly: args.includes('table') });
    // etcd takes no member until all have been connected for 5 s.
    const add = ['member', 'add', 'late', '--peer-urls=http://127.0.0.1:45999', '--learner'];
    let added = await ctl.quietly(...add);
    for (const deadline = Date.now() + 15_000; added.includes('unhealthy cluster') && Date.now() < deadline; added = await ctl.quietly(...add));
    await ctl.run(['put', 'added', /^Member\s+[0-9a-f]+ added/.test(added) ? 'a learner' : added]);
    const id = /Member\s+([0-9a-f]+) added/.exec(added)?.[1] ?? '0';
    await ctl.run(['member', 'promote', id]);
    await ctl.run(['member', 'update', id, '--peer-urls=http://127.0.0.1:45998']);
    await ctl.run(['member', 'remove', id]);
    await ctl.run(['member', 'remove', id]);
    await ctl.run(['member', 'remove', 'nonsense']);
    for (const more of [[], ['--cluster']]) {
      await ctl.run(['endpoint', 'health', ...more], { codeOnly: true });
      for (const form of ['json', 'table', 'fields', 'simple']) {
        await ctl.run(['endpoint', 'status', '-w', form, ...more], { codeOnly: true });
        await ctl.run(['endpoint', 'hashkv', '-w', form, ...more], { codeOnly: true });
      }
    }
    for (const args of [['alarm', 'list'], ['alarm', 'disarm'], ['defrag'], ['defrag', '--cluster']]) await ctl.run(args, { codeOnly: args[0] === 'defrag' });
    await ctl.run(['move-leader', '1234567890abcdef'], { at: 'all' });
    const others = (await ctl.quietly('member', 'list')).split('\n').map((line) => line.split(',')[0] ?? '');
    let moved = '';
    for (const other of others) if (!moved.includes('Leadership transferred')) moved = await ctl.quietly('move-leader', other, `--endpoints=${ctl.urls.join(',')}`);
    await ctl.run(['put', 'after', moved.includes('Leadership transferred') ? 'moved' : 'not moved']);
    await ctl.run(['get', 'after']);
    await ctl.run(['get', 'added']);
  },
};

const files: CtlCase = {
  name: 'snapshot save and make-mirror',
  async run(ctl) {
    const dir = mkdtempSync(join(tmpdir(), 'compat-'));
    try {
      await ctl.run(['snapshot', 'save', join(dir, 'backup')], { codeOnly: true });
      const size = statSync(join(dir, 'backup'), { throwIfNoEntry: false })?.size;
      await ctl.run(['put', 'saved', size === undefined ? 'nothing' : String(size % 512)]);
    } finally {
      rmSync(dir, { recursive: true });
    }
    await ctl.run(['get', 'saved']);
    for (let i = 0; i < 5; i++) await ctl.quietly('put', `from/${i}`, String(i));
    const mirror = ctl.begin('make-mirror', '--prefix', 'from/', '--dest-prefix', 'to/', ctl.urls[0] ?? '');
    for (const deadline = Date.now() + 5_000; Date.now() < deadline && !(await ctl.quietly('get', 'to/4')).includes('4'); );
    await ctl.quietly('put', 'from/5', '5');
    await ctl.quietly('del', 'from/0');
    for (const deadline = Date.now() + 5_000; Date.now() < deadline && !(await ctl.quietly('get', 'to/5')).includes('5'); );
    await mirror.end();
    await ctl.run(['get', '--prefix', 'to/']);
  },
};

const auth: CtlCase = {
  name: 'auth, user, role',
  async run(ctl) {
    for (const line of `
      user list
      role list
      auth disable
      user add root:rootpw
      user add alice:apw
      user add alice:apw
      user add nopw --no-password
      role add reader
      role add reader
      role grant-permission reader read a/ --prefix=true
      role grant-permission reader readwrite b
      role grant-permission reader write c d
      role get reader
      role revoke-permission reader b
      role revoke-permission reader b
      user grant-role alice reader
      user grant-role alice none
      user get alice
      user get alice --detail
      user list
      role list
      auth enable
      get a/1
      --user=alice:apw get a/1
      --user=alice:wrong get a/1
      --user=alice:apw put a/1 x
      --user=alice:apw put c x
      --user=alice:apw get c
      --user=alice:apw user list
      --user=alice:apw member list
      --user=root:rootpw user list
      --user=root:rootpw put a/1 x
      --user=alice:apw get --prefix a/
      --user=root:rootpw user revoke-role alice reader
      --user=alice:apw get a/1
      --user=root:rootpw user delete root
      --user=root:rootpw role delete reader
      --user=root:rootpw user delete alice
      --user=root:rootpw auth disable
      user delete root
      user delete nopw
      role delete root
      get a/1`.trim().split('\n')) await ctl.run(split(line.trim()), { codeOnly: /member list/.test(line) });
  },
};

const checks: CtlCase = {
  name: 'check perf and datascale',
  slow: true,
  async run(ctl) {
    await ctl.run(['check', 'perf', '--load=s'], { codeOnly: true });
    await ctl.run(['check', 'datascale', '--load=s'], { codeOnly: true });
  },
};

export const CTL_CASES: readonly CtlCase[] = [kv, txn, watch, lease, locks, cluster, files, auth, checks];
