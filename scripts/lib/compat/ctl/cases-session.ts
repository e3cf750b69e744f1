/** What lives as long as somebody keeps it alive: lease, lock, elect. */

import { pause, split, type CtlCase } from './case.js';
import type { Etcdctl } from './etcdctl.js';
import { byLease, once } from './words.js';

async function granted(ctl: Etcdctl, ttl: number): Promise<string> {
  return /lease ([0-9a-f]+)/.exec(await ctl.run(['lease', 'grant', String(ttl)]))?.[1] ?? '0';
}

const lease: CtlCase = {
  name: 'lease: grant, keep-alive, timetolive, list, revoke',
  async run(ctl) {
    await ctl.run(['lease', 'list'], { tidy: byLease });
    await ctl.run(['lease', 'list', '-w', 'json']);
    const id = await granted(ctl, 100);
    await ctl.run(['put', 'l/a', '1', `--lease=${id}`]);
    await ctl.run(['put', 'l/b', '1', '--lease=1234']);
    for (const form of ['simple', 'json', 'fields', 'table']) {
      await ctl.run(['lease', 'grant', '90', '-w', form]);
      await ctl.run(['lease', 'timetolive', id, '-w', form]);
      await ctl.run(['lease', 'timetolive', id, '--keys', '-w', form]);
      await ctl.run(['lease', 'keep-alive', id, '--once', '-w', form]);
    }
    await ctl.run(['get', 'l/a', '-w', 'json']);
    await ctl.run(['put', 'l/a', '2', '--ignore-lease']);
    await ctl.run(['get', 'l/a', '-w', 'fields']);
    await ctl.run(['put', 'l/a', '3']);
    await ctl.run(['lease', 'timetolive', id, '--keys']);
    await ctl.run(['put', 'l/a', '3', `--lease=${id}`]);
    await ctl.run(['lease', 'revoke', id]);
    await ctl.run(['get', 'l/a']);
    for (const verb of ['revoke', 'timetolive', 'keep-alive']) await ctl.run(['lease', verb, id]);
    await ctl.run(['lease', 'timetolive', id, '-w', 'json']);
    await ctl.run(['lease', 'keep-alive', id, '--once']);
    for (const line of ['grant nonsense', 'grant 0', 'grant -- -5', 'grant 9000000001', 'grant', 'revoke', 'revoke nonsense', 'revoke 0', 'timetolive nonsense', 'keep-alive', 'keep-alive nonsense', 'nonsense']) {
      await ctl.run(['lease', ...split(line)]);
    }
  },
};

const aliveAndDead: CtlCase = {
  name: 'lease: kept alive, let go, expired',
  async run(ctl) {
    const id = await granted(ctl, 2);
    await ctl.quietly('put', 'l/short', '1', `--lease=${id}`);
    const keeping = ctl.begin(['lease', 'keep-alive', id], { tidy: once });
    await keeping.prints(/keepalived[^]*keepalived/);
    const left = await ctl.quietly('get', 'l/short');
    ctl.tell('the key while its lease is kept alive', left);
    await ctl.quietly('lease', 'revoke', id);
    await keeping.ends();
    const dying = await granted(ctl, 2);
    await ctl.quietly('put', 'l/short', '2', `--lease=${dying}`);
    ctl.tell('the lease is gone in time', String(await ctl.until(/already expired/, 15_000, 0, 'lease', 'timetolive', dying)));
    await ctl.run(['get', 'l/short']);
    await ctl.run(['lease', 'revoke', dying]);
    for (const line of (await ctl.quietly('lease', 'list')).split('\n').slice(1)) await ctl.quietly('lease', 'revoke', line);
    await ctl.run(['lease', 'list'], { tidy: byLease });
  },
};

const lock: CtlCase = {
  name: 'lock',
  async run(ctl) {
    await ctl.run(['lock', 'm', 'echo', 'locked']);
    await ctl.run(['lock', 'm', 'sh', '-c', 'echo "$ETCD_LOCK_KEY $ETCD_LOCK_REV"']);
    await ctl.run(['lock', 'm', '--ttl=5', 'sh', '-c', 'exit 3']);
    await ctl.run(['lock', 'm', 'not-a-command-that-there-is']);
    await ctl.run(['lock']);
    await ctl.run(['lock', 'm', '--ttl=nonsense']);
    const held = ctl.begin(['lock', 'm']);
    await held.prints(/m\//);
    const inside = ctl.begin(['lock', 'm', '-w', 'json', 'echo', 'after the first']);
    await ctl.until(/m\/[^]*m\//, 10_000, 0, 'get', '--prefix', 'm/', '--keys-only');
    const waits = ctl.begin(['lock', 'm', '--ttl=2']);
    await ctl.until(/m\/[^]*m\/[^]*m\//, 10_000, 0, 'get', '--prefix', 'm/', '--keys-only');
    await held.end();
    await inside.ends();
    await waits.prints(/m\//);
    await waits.end();
    await ctl.run(['get', '--prefix', 'm/', '--keys-only']);
    // In the order of their ids, which are random.
    await ctl.run(['lease', 'list'], { tidy: (text) => text.replace(/^[0-9a-f]+$/gm, 'a lease') });
  },
};

const elect: CtlCase = {
  name: 'elect',
  async run(ctl) {
    await ctl.run(['elect']);
    await ctl.run(['elect', 'e']);
    await ctl.run(['elect', '-l', 'e', 'one']);
    const leader = ctl.begin(['elect', 'e', 'one']);
    await leader.prints(/one/);
    const listener = ctl.begin(['elect', '-l', 'e']);
    await listener.prints(/one/);
    const next = ctl.begin(['elect', 'e', 'two']);
    await ctl.until(/e\/[^]*e\//, 10_000, 0, 'get', '--prefix', 'e/', '--keys-only');
    await ctl.quietly('put', (await ctl.quietly('get', '--prefix', 'e/', '--keys-only', '--limit=1', '--sort-by=CREATE')).split('\n')[0] ?? '', 'proclaimed');
    await listener.prints(/proclaimed/);
    await leader.end();
    await next.prints(/two/);
    await listener.prints(/two/);
    await next.end();
    await listener.end();
    await pause(100);
    await ctl.run(['get', '--prefix', 'e/', '--keys-only']);
  },
};

export const SESSION_CASES: readonly CtlCase[] = [lease, aliveAndDead, lock, elect];
