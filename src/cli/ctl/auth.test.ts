import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { silent } from '../../base/testing/silent.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { Passwords } from '../../server/auth/passwords.js';
import { clientPort } from '../../server/rpc/client-server.js';
import { Health } from '../../server/rpc/health-service.js';
import { clientMethods } from '../../server/rpc/services.js';
import { FakeStore } from '../../server/testing/fake-store.js';
import type { ClientPort } from '../../server/transport/client-port.js';
import { listenAddress } from '../../server/transport/listen-address.js';
import { FakeIo } from '../testing/fake-io.js';
import { ctl } from './ctl.js';
import { SecretLine } from './secret-line.js';
import { secretFrom } from './terminal-secret.js';

interface Given {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** What is typed at the terminal; without it there is none. */
  readonly typed?: readonly string[];
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly questions: readonly string[];
}

describe('kintsugi ctl auth, user and role', () => {
  let store: FakeStore;
  let server: ClientPort;
  let endpoint: string;

  beforeEach(async () => {
    store = new FakeStore();
    server = clientPort(clientMethods(store, new Health(), { maxRequestBytes: 1_572_864 }, new Passwords(4)), {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: silent,
    });
    endpoint = `127.0.0.1:${await server.listen(listenAddress('http://127.0.0.1:0'))}`;
  });

  afterEach(() => server.drain(100));

  async function run(line: string | readonly string[], { env = {}, stdin = '', typed }: Given = {}): Promise<Ran> {
    const io = new FakeIo({ KINTSUGI_ENDPOINTS: endpoint, ...env }, stdin, typed);
    const code = await ctl(typeof line === 'string' ? line.split(' ') : line, io);
    return { code, out: io.text, err: io.errors, questions: io.questions };
  }

  async function prints(line: string, text: string, given?: Given): Promise<void> {
    const { code, out, err } = await run(line, given);
    assert.deepEqual([line, code, out, err], [line, 0, text, '']);
  }

  it('prints what etcdctl prints, from the first user until auth is off again', async () => {
    await prints('user list', '');
    await prints('auth status', 'Authentication Status: false\nAuthRevision: 1\n');
    await prints('user add root:rootpw', 'User root created\n');
    await prints('user add alice:apw', 'User alice created\n');
    assert.match((await run('user add alice:apw')).err, /^Error: etcdserver: user name already exists\n/);
    await prints('user add nopw --no-password', 'User nopw created\n');
    await prints('role add reader', 'Role reader created\n');
    await prints('role grant-permission reader read a/ --prefix=true', 'Role reader updated\n');
    await prints('role grant-permission reader readwrite b', 'Role reader updated\n');
    await prints('role grant-permission reader write c d', 'Role reader updated\n');
    await prints('role grant-permission reader WRITE z --from-key', 'Role reader updated\n');
    await prints('role get reader',
      'Role reader\nKV Read:\n\t[a/, a0) (prefix a/)\n\tb\nKV Write:\n\tb\n\t[c, d) (prefix c)\n\t[z, <open ended>\n');
    await prints('role revoke-permission reader b', 'Permission of key b is revoked from role reader\n');
    await prints('role revoke-permission reader c d', 'Permission of range [c, d) is revoked from role reader\n');
    await prints('role revoke-permission reader z --from-key', 'Permission of range [z, <open ended> is revoked from role reader\n');
    assert.match((await run('role revoke-permission reader b')).err, /permission is not granted to the role[\s\S]*role get ROLE/);
    await prints('user grant-role alice reader', 'Role reader is granted to user alice\n');
    await prints('user get alice', 'User: alice\nRoles: reader\n');
    await prints('user get alice --detail', 'User: alice\n\nRole reader\nKV Read:\n\t[a/, a0) (prefix a/)\nKV Write:\n');
    await prints('user list', 'alice\nnopw\nroot\n');
    await prints('role list', 'reader\n');
    await prints('auth enable', 'Authentication Enabled\n');
    assert.deepEqual(store.auth.auth.user('root')?.roles, ['root'], 'given by auth enable');
    assert.match((await run('get a/1')).err, /^Error: etcdserver: user name is empty\n[\s\S]*try: {3}auth is on: .*--user/);
    assert.match((await run('--user=alice:wrong get a/1')).err, /invalid user ID or password[\s\S]*try: {3}\S/);
    assert.match((await run('--user=alice:apw put a/1 x')).err, /permission denied[\s\S]*user get NAME --detail/);
    await prints('--user=root:rootpw put a/1 x', 'OK\n');
    await prints('--user=alice:apw get --prefix a/', 'a/1\nx\n');
    await prints('--user=root:rootpw role get root', 'Role root\nKV Read:\n\t[, <open ended>\nKV Write:\n\t[, <open ended>\n');
    await prints('--user=root:rootpw user revoke-role alice reader', 'Role reader is revoked from user alice\n');
    assert.match((await run('--user=root:rootpw user delete root')).err, /invalid auth management/);
    await prints('--user=root:rootpw role delete reader', 'Role reader deleted\n');
    await prints('--user=root:rootpw user delete alice', 'User alice deleted\n');
    await prints('--user=root:rootpw auth disable', 'Authentication Disabled\n');
    await prints('get a/1', 'a/1\nx\n');
  });

  it('takes json and fields as etcdctl prints them, and refuses a table before it changes anything', async () => {
    const header = '{"header":{"cluster_id":193,"member_id":4097,"revision":1,"raft_term":3}';
    await prints('user add root:r -w=json', `${header}}\n`);
    await prints('role add r -w json', `${header}}\n`);
    await prints('role grant-permission r read a b -w json', `${header}}\n`);
    await prints('role grant-permission r readwrite c -w json', `${header}}\n`);
    await prints('role get r -w json', `${header},"perm":[{"key":"YQ==","range_end":"Yg=="},{"permType":2,"key":"Yw=="}]}\n`);
    await prints('user list -w json', `${header},"users":["root"]}\n`);
    await prints('role list -w json', `${header},"roles":["r"]}\n`);
    await prints('auth status -w json', `${header},"authRevision":5}\n`);
    assert.match((await run('user list -w fields')).out, /"Users" : "root"\n$/);
    assert.match((await run('user add x:y -w table')).err, /no -w table/);
    assert.equal(store.auth.auth.user('x'), undefined);
  });

  it("a password comes from a flag, etcdctl's or our variables, a pipe or the terminal, and is in no message", async () => {
    const asked = await run('user add root', { typed: ['rootpw', 'rootpw'] });
    assert.deepEqual([asked.code, asked.questions], [0, ['Password of root: ', 'Type password of root again for confirmation: ']]);
    assert.match((await run('user add bob', { typed: ['one', 'two'] })).err, /given passwords are different/);
    assert.match((await run('user add bob')).err, /no terminal .*--interactive=false/);
    await prints('user add bob --interactive=false', 'User bob created\n', { stdin: 'piped\nrest' });
    await prints('user add eve --new-user-password=evepw', 'User eve created\n');
    await run('auth enable');
    await prints('--user root --password rootpw user list', 'bob\neve\nroot\n');
    await prints('auth status', 'Authentication Status: true\nAuthRevision: 6\n', { env: { ETCDCTL_USER: 'root:rootpw' } });
    await prints('user get bob', 'User: bob\nRoles:\n', { env: { KINTSUGI_USER: 'root', KINTSUGI_PASSWORD: 'rootpw' } });
    const login = await run('--user root user passwd bob --interactive=false', { typed: ['rootpw'], stdin: 'new' });
    assert.deepEqual([login.code, login.questions], [0, ['Password: ']]);
    assert.match((await run('--user=bob:piped get a')).err, /invalid user ID or password/);
    assert.match((await run('--user=bob:new get a')).err, /permission denied/);
    assert.match((await run('--user root get a')).err, /no terminal .*KINTSUGI_USER/);
    for (const line of ['--password=secretword get a', '--user=:secretword get a', '--user=bob:secretword get a', 'user add bob:secretword']) {
      const { code, out, err } = await run(line);
      assert.notEqual(code, 0);
      assert.doesNotMatch(out + err, /secretword/, line);
    }
  });

  it('wrong usage is exit code 2 and changes nothing', async () => {
    for (const line of ['auth', 'auth enable x', 'auth status x', 'user add', 'user add a b', 'user add :p', 'user get', 'user list x', 'user grant-role a',
      'user add a --no-password --new-user-password=p', 'role add', 'role grant-permission r read', 'role grant-permission r peek k',
      'role grant-permission r read k e --prefix', 'role grant-permission r read k --prefix --from-key', 'role revoke-permission r']) {
      const { code, err } = await run(line, { typed: ['p', 'p'] });
      assert.deepEqual([line, code, err.startsWith('Error: ')], [line, 2, true], err);
    }
    assert.equal((await run(['role', 'grant-permission', 'r', 'read', ''])).code, 2);
    assert.ok(store.auth.auth.isUnused);
  });
});

describe('a secret that is typed', () => {
  const typed = (...chunks: readonly string[]): unknown => {
    const line = new SecretLine();
    return chunks.map((chunk) => line.feed(Buffer.from(chunk, 'latin1'))).at(-1);
  };

  it('is edited as at a terminal, character by character of UTF-8', () => {
    const done = (text: string, rest = ''): unknown => ({ kind: 'done', text, rest: Buffer.from(rest) });
    assert.deepEqual(typed('ab', 'c\r'), done('abc'));
    assert.deepEqual(typed('ab\x7f\x7f\x7fc\n'), done('c'));
    assert.deepEqual(typed(Buffer.from('aé').toString('latin1'), '\x7fb\r'), done('ab'));
    assert.deepEqual(typed('abc\x15d\x04'), done('d'));
    assert.deepEqual(typed('a\rb\r'), done('a', 'b\r'));
    assert.deepEqual(typed('ab\x03'), { kind: 'cancelled' });
    assert.deepEqual(typed('ab'), { kind: 'more' });
  });

  it('is not shown, and the terminal is as before; what was pasted after it is for the next question', async () => {
    const happened: (boolean | string)[] = [];
    const terminal = Object.assign(new PassThrough(), { setRawMode: (raw: boolean) => happened.push(raw) });
    const out = { write: (text: string) => happened.push(text) };
    const secret = (): Promise<string> => secretFrom(terminal, 'Password: ', out);
    terminal.write('one\rtwo\r');
    assert.equal(await secret(), 'one');
    assert.equal(await secret(), 'two');
    const once = [true, 'Password: ', false, '\n'];
    assert.deepEqual(happened, [...once, ...once], 'the question comes when nothing is shown any more');
    const cancelled = secret();
    terminal.write('x\x03');
    await assert.rejects(cancelled, /cancelled/);
    const gone = secret();
    terminal.end();
    await assert.rejects(gone, /the terminal is gone/);
    assert.deepEqual([happened.slice(-4), terminal.listenerCount('data')], [once, 0]);
  });
});
