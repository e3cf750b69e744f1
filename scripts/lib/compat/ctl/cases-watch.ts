/** watch, in every form. */

import { pause, type CtlCase } from './case.js';
import type { Etcdctl } from './etcdctl.js';
import { byEvent } from './words.js';

/** A watch of the present is answered before anything can be seen; it prints nothing then. */
const SETTLE_MS = 500;

/** Waits until the first member has so many watchers; what comes next tells, if it never does. */
async function has(ctl: Etcdctl, watchers: number): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await pause(20)) {
    const page = await (await fetch(`${ctl.cluster.node(0).spec.metricsUrl}/metrics`)).text();
    if (page.includes(`\netcd_debugging_mvcc_watcher_total ${watchers}\n`)) return;
  }
}

async function present(ctl: Etcdctl, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  // Else it is seen as the value before.
  await ctl.quietly('del', 'w', '--prefix');
  // The page may be a second old: the watch before is gone, and then this one is there.
  await has(ctl, 0);
  const watching = ctl.begin(['watch', ...args], { env });
  await has(ctl, 1);
  await ctl.quietly('put', 'w', 'first');
  await ctl.quietly('put', 'w1', 'beside');
  await ctl.quietly('del', 'w');
  await ctl.quietly('put', 'w', 'last one');
  await watching.prints(/last one|6c617374206f6e65|bGFzdCBvbmU/);
  await watching.end();
}

const revisionNow = async (ctl: Etcdctl): Promise<number> => Number((await ctl.quietly('get', 'w', '-w', 'json')).match(/"revision":(\d+)/)?.[1] ?? 1);

const watch: CtlCase = {
  name: 'watch: keys, ranges, forms of output, exec',
  async run(ctl) {
    const shell = ['--', 'sh', '-c', 'echo "$ETCD_WATCH_REVISION $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"'];
    for (const args of [
      ['w'], ['--prefix', 'w', '--prev-kv'], ['w', 'w2'], ['w', 'w2', '--prev-kv', '-w', 'json'], ['w', '--prev-kv', '-w', 'fields'], ['w', '--hex'],
      ['', '--prefix'], ['w', ...shell], ['w', 'w2', '--prev-kv', ...shell],
    ]) await present(ctl, args);
    await present(ctl, [], { ETCDCTL_WATCH_KEY: 'w' });
    await present(ctl, ['--prefix'], { ETCDCTL_WATCH_KEY: 'w', ETCDCTL_WATCH_RANGE_END: '' });
    await present(ctl, [...shell], { ETCDCTL_WATCH_KEY: 'w', ETCDCTL_WATCH_RANGE_END: 'w2' });
    for (const args of [[], ['w', 'w2', 'w3'], ['w', '--rev=nonsense'], ['w', 'w2', '--prefix'], ['w', '--']]) {
      const wrong = ctl.begin(['watch', ...args]);
      await wrong.endsWithin(10_000);
    }
  },
};

const past: CtlCase = {
  name: 'watch: the past, the future, what is compacted, an exec that fails',
  async run(ctl) {
    const from = await revisionNow(ctl);
    await ctl.quietly('put', 'w', 'later');
    for (const args of [['--prefix', 'w', `--rev=${from - 2}`], ['w', `--rev=${from - 2}`, '--prev-kv', '-w', 'json'], ['--prefix', 'w', '--rev=1', '--prev-kv']]) {
      const watching = ctl.begin(['watch', ...args], { tidy: byEvent });
      await watching.prints(/later|bGF0ZXI/);
      await watching.end();
    }
    const future = ctl.begin(['watch', 'w', `--rev=${from + 4}`]);
    await pause(SETTLE_MS);
    for (const value of ['too early', 'too early', 'in time']) await ctl.quietly('put', 'w', value);
    await future.prints(/in time/);
    await future.end();
    const failing = ctl.begin(['watch', 'w', `--rev=${await revisionNow(ctl)}`, '--', 'sh', '-c', 'exit 3']);
    await failing.ends();
    await ctl.quietly('compaction', String(from));
    await ctl.run(['watch', 'w', '--rev=1']);
    await ctl.run(['watch', 'w', '--rev=1', '-w', 'json']);
  },
};

const interactive: CtlCase = {
  name: 'watch -i',
  async run(ctl) {
    const watching = ctl.begin(['watch', '-i']);
    watching.say('watch w');
    watching.say('watch --prefix v');
    watching.say('watch x y --prev-kv');
    watching.say('watch e -- sh -c "echo run for $ETCD_WATCH_KEY"');
    await pause(SETTLE_MS);
    for (const [i, [key, value]] of [['v1', 'seen'], ['x', 'in the range'], ['e', '1'], ['w', 'too']].entries()) {
      await ctl.quietly('put', String(key), String(value));
      await watching.prints(new RegExp([/seen/, /in the range/, /run for/, /too/][i]?.source ?? ''));
    }
    watching.say('progress');
    await watching.prints(/progress notify/);
    await watching.end();
    for (const line of ['nonsense', 'watch', '', 'watch --nonsense w', 'watch w -- ']) {
      const wrong = ctl.begin(['watch', '-i']);
      wrong.say(line);
      await wrong.endsWithin(10_000);
    }
    await ctl.run(['watch', '-i'], { input: '' });
  },
};

const notify: CtlCase = {
  name: 'watch --progress-notify',
  since: '3.6',
  async run(ctl) {
    await present(ctl, ['w', '--progress-notify']);
  },
};

export const WATCH_CASES: readonly CtlCase[] = [watch, past, interactive, notify];
