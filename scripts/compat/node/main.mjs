/**
 * Drives an etcd with npm `etcd3` and prints what it found, a line for each step. "kill" asks
 * whoever runs it to kill the leader, and waits for a line on standard input.
 */

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Etcd3, Range } from 'etcd3';

const hosts = process.argv[process.argv.indexOf('--endpoints') + 1].split(',');
const input = createInterface({ input: process.stdin });
const client = new Etcd3({ hosts });
const say = (...words) => console.log(words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))).join(' '));
const failure = (work) => work.then(() => 'no error', (error) => error.constructor.name);

async function kv() {
  await client.put('kv/a').value('1');
  await client.put('kv/b').value('2');
  say('get', await client.get('kv/a').string(), await client.get('none').string());
  say('all', await client.getAll().prefix('kv/').sort('Key', 'Descend').strings());
  say('count', await client.getAll().prefix('kv/').count());
  const txn = await client.if('kv/a', 'Value', '==', '1').then(client.put('kv/a').value('3')).else(client.get('kv/a')).commit();
  say('txn', txn.succeeded);
  say('delete', (await client.delete().prefix('kv/')).deleted);
}

async function leases() {
  const lease = client.lease(10);
  await lease.put('lease/a').value('1');
  say('lease', await client.get('lease/a').string());
  await lease.keepaliveOnce();
  await lease.revoke();
  say('revoked', await client.get('lease/a').string());
}

async function locks() {
  let inside = 0;
  let most = 0;
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let done = false; !done;) {
      done = await client.lock('lock').ttl(10).do(async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setTimeout(resolve, 5));
        inside--;
        return true;
      }).catch(() => new Promise((resolve) => setTimeout(resolve, 20)));
    }
  }));
  say('lock, at once', most);
}

async function elections() {
  const campaign = client.election('election', 10).campaign('one');
  await once(campaign, 'elected');
  say('leader', await client.election('election').leader());
  await campaign.proclaim('one again');
  say('leader', await client.election('election').leader());
  await campaign.resign();
  say('leader', (await client.election('election').leader()) ?? 'nobody');
}

async function stm() {
  await client.put('stm').value('0');
  await Promise.all(Array.from({ length: 5 }, () => client.stm({ retries: 50 }).transact(async (tx) => {
    await tx.put('stm').value(String(Number(await tx.get('stm').string()) + 1));
  })));
  say('stm', await client.get('stm').string());
}

async function namespaces() {
  const inner = client.namespace('tenant/');
  await inner.put('x').value('1');
  say('namespace', await client.get('tenant/x').string(), await inner.getAll().strings());
}

async function resumes() {
  const count = 120;
  const seen = [];
  const watcher = await client.watch().prefix('resume/').create();
  let all;
  const complete = new Promise((resolve) => (all = resolve));
  watcher.on('put', ({ key }) => seen.push(key.toString()) === count && all());
  for (let i = 0; i < count; i++) {
    if (i === count / 2) {
      say('kill');
      await once(input, 'line');
    }
    const key = `resume/${String(i).padStart(3, '0')}`;
    for (let done = false; !done;) {
      done = await client.if(key, 'Create', '==', 0).then(client.put(key).value('x')).commit().then(() => true, () => new Promise((resolve) => setTimeout(resolve, 50)));
    }
  }
  await Promise.race([complete, new Promise((resolve) => setTimeout(resolve, 30_000))]);
  const right = seen.every((key, i) => key === `resume/${String(i).padStart(3, '0')}`);
  say('watch over a kill of the leader', seen.length, right);
  await watcher.cancel();
}

async function auth() {
  const [root, alice] = [client.user('root'), client.user('alice')];
  await root.create('root');
  await alice.create('alice');
  await client.role('root').create();
  await client.role('alice').create();
  await root.addRole('root');
  await alice.addRole('alice');
  await client.role('alice').grant({ permission: 'Readwrite', range: Range.prefix('own/') });
  await client.auth.authEnable();
  const asRoot = new Etcd3({ hosts, auth: { username: 'root', password: 'root' } });
  const asAlice = new Etcd3({ hosts, auth: { username: 'alice', password: 'alice' } });
  say('nobody', await failure(client.get('own/a').string()));
  say('own', await failure(asAlice.put('own/a').value('1')));
  say('other', await failure(asAlice.put('other').value('1')));
  await asRoot.auth.authDisable();
  for (const user of [root, alice]) await user.delete();
  for (const role of ['root', 'alice']) await client.role(role).delete();
  asRoot.close();
  asAlice.close();
}

for (const scenario of [kv, leases, locks, elections, stm, namespaces, auth, resumes]) await scenario();
say('done');
client.close();
input.close();
