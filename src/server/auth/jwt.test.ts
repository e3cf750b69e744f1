import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import { connect } from '../../client/client.js';
import { jwtOf } from '../options/auth-token.js';
import { FakeStore } from '../testing/fake-store.js';
import { RawClient, refusal } from '../testing/raw-client.js';
import { serveStore } from '../testing/serve.js';
import { JwtTokens } from './jwt.js';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const CLAIMS = { user: 'alice', revision: 7 };

describe('signed tokens', function () {
  this.timeout(60_000);
  let dir: string;
  let clock: ManualClock;

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-jwt-'));
    const write = (name: string, { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): void => {
      writeFileSync(join(dir, `${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
      writeFileSync(join(dir, `${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    };
    write('rsa', generateKeyPairSync('rsa', { modulusLength: 1280 }));
    write('other', generateKeyPairSync('rsa', { modulusLength: 1280 }));
    for (const [name, namedCurve] of [['ec256', 'P-256'], ['ec384', 'P-384'], ['ec512', 'P-521']] as const) {
      write(name, generateKeyPairSync('ec', { namedCurve }));
    }
    write('ed', generateKeyPairSync('ed25519'));
    writeFileSync(join(dir, 'secret'), randomBytes(32));
    writeFileSync(join(dir, 'empty'), '');
  });

  after(() => rmSync(dir, { recursive: true }));

  beforeEach(() => {
    clock = new ManualClock();
  });

  function tokens(method: string, keys: string): JwtTokens {
    const settings = jwtOf(`jwt,sign-method=${method},${keys.replaceAll('@', `${dir}/`)}`);
    assert.ok(settings);
    return new JwtTokens(settings, clock);
  }
  const file = (name: string): Buffer => readFileSync(join(dir, name));
  const rsa = (): JwtTokens => tokens('RS256', 'priv-key=@rsa.key,pub-key=@rsa.pub,ttl=60s');

  const METHODS: readonly (readonly [string, string])[] = [
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((name) => [name, 'rsa'] as const),
    ['ES256', 'ec256'], ['ES384', 'ec384'], ['ES512', 'ec512'], ['EdDSA', 'ed'],
  ];

  it('of each method are good where the public key is, until they expire, and nowhere else', async () => {
    for (const [method, key] of METHODS) {
      const [signer, verifier] = [tokens(method, `priv-key=@${key}.key,ttl=60s`), tokens(method, `pub-key=@${key}.pub`)];
      const token = await signer.sign(CLAIMS);
      for (const each of [signer, verifier]) assert.deepEqual(each.claimsOf(token), CLAIMS, method);
      const [header = '', payload = '', signature = ''] = token.split('.');
      assert.equal(verifier.claimsOf(`${header}.${part({ username: 'root', revision: 7 })}.${signature}`), undefined);
      for (const [alg] of METHODS) {
        if (alg !== method) assert.equal(verifier.claimsOf(`${part({ alg })}.${payload}.${signature}`), undefined);
      }
      await assert.rejects(verifier.sign(CLAIMS), /verify-only key/);
      const wrong = await tokens('RS256', 'priv-key=@other.key').sign(CLAIMS);
      assert.equal(verifier.claimsOf(wrong), undefined);
    }
    for (const method of ['HS256', 'HS384', 'HS512']) {
      const secret = tokens(method, 'priv-key=@secret');
      const token = await secret.sign(CLAIMS);
      assert.deepEqual(secret.claimsOf(token), CLAIMS);
      assert.equal(secret.claimsOf(`${token.slice(0, -4)}AAAA`), undefined);
      assert.equal(secret.claimsOf(token.slice(0, token.lastIndexOf('.') + 1)), undefined);
    }
    const jwt = rsa();
    const token = await jwt.sign(CLAIMS);
    clock.advance(58_000);
    assert.deepEqual(jwt.claimsOf(token), CLAIMS);
    clock.advance(2_001);
    assert.equal(jwt.claimsOf(token), undefined, 'one that was good before');
    assert.equal(rsa().claimsOf(token), undefined);
  });

  it('say nothing by a method of their own: none, and the public key as a secret', () => {
    const jwt = rsa();
    const payload = part({ username: 'root', revision: 7 });
    for (const alg of ['none', 'None', 'NONE', '']) {
      for (const signature of ['', 'AA']) assert.equal(jwt.claimsOf(`${part({ alg, typ: 'JWT' })}.${payload}.${signature}`), undefined);
    }
    for (const alg of ['HS256', 'RS256']) {
      const text = `${part({ alg, typ: 'JWT' })}.${payload}`;
      for (const name of ['rsa.pub', 'rsa.key']) {
        const forged = createHmac('sha256', file(name)).update(text).digest('base64url');
        assert.equal(jwt.claimsOf(`${text}.${forged}`), undefined, `${alg} ${name}`);
      }
    }
    for (const text of ['', '.', '..', 'a.b.c', 'a.b.c.d', `${part({ alg: 'RS256' })}.e30.AA`, 'x'.repeat(100_000)]) {
      assert.equal(jwt.claimsOf(text), undefined, text.slice(0, 20));
    }
  });

  it('need a name, a revision, and times that hold; what is signed without an end has none', () => {
    const secret = tokens('HS256', 'priv-key=@secret');
    const signed = (claims: object): string => {
      const text = `${part({ alg: 'HS256' })}.${part(claims)}`;
      return `${text}.${createHmac('sha256', file('secret')).update(text).digest('base64url')}`;
    };
    const now = clock.wallNow() / 1000;
    const good = { username: 'alice', revision: 7 };
    for (const claims of [good, { ...good, exp: now + 5 }, { ...good, nbf: now - 5 }]) {
      assert.deepEqual(secret.claimsOf(signed(claims)), CLAIMS);
    }
    for (const claims of [{ revision: 7 }, { username: 'alice' }, { username: 7, revision: 7 }, { username: 'alice', revision: '7' },
      { ...good, exp: now - 5 }, { ...good, exp: 'never' }, { ...good, exp: null }, { ...good, nbf: now + 5 }, { ...good, revision: -1 }, []]) {
      assert.equal(secret.claimsOf(signed(claims)), undefined, JSON.stringify(claims));
    }
  });

  it('are refused at the start where a key is missing, of another kind, or not the other one\'s half: by name', () => {
    const refused = (text: string, why: RegExp): void =>
      assert.throws(() => jwtOf(text.replaceAll('@', `${dir}/`)), (error: Error) => error.name === 'UsageError' && why.test(error.message), text);
    refused('', /neither simple nor jwt/);
    refused('jwt', /sign-method "" is none of HS256/);
    refused('jwt,sign-method=none,priv-key=@rsa.key', /sign-method "none" is none of/);
    refused('jwt,sign-method=RS256', /RS256 needs pub-key, priv-key or both/);
    refused('jwt,sign-method=HS256,pub-key=@rsa.pub', /HS256 needs priv-key/);
    refused('jwt,sign-method=HS256,priv-key=@empty', /empty is empty/);
    refused('jwt,sign-method=RS256,priv-key=@none', /priv-key: ENOENT/);
    refused('jwt,sign-method=RS256,priv-key=@rsa.pub', /priv-key: .*rsa.pub is no private key in PEM/);
    refused('jwt,sign-method=RS256,pub-key=@rsa.key', /pub-key: .*rsa.key is no public key in PEM: it is a private key/);
    refused('jwt,sign-method=RS256,priv-key=@rsa.key,pub-key=@other.pub', /pub-key is not the public half of priv-key/);
    refused('jwt,sign-method=PS256,priv-key=@ed.key', /ed.key is a key for ed25519, and PS256 needs one for rsa/);
    refused('jwt,sign-method=ES256,priv-key=@ec384.key', /on the curve secp384r1, and ES256 needs prime256v1/);
    refused('jwt,sign-method=RS256,priv-kee=@rsa.key', /"priv-kee" is none of/);
    refused('jwt,sign-method=RS256,priv-key', /is not name=value/);
    refused('jwt,sign-method=RS256,sign-method=RS256', /sign-method is given twice/);
    refused('jwt,sign-method=RS256,priv-key=@rsa.key,ttl=soon', /ttl "soon" is no duration/);
    assert.equal(jwtOf('simple'), undefined);
    assert.equal(jwtOf(`jwt,sign-method=RS256,priv-key=${dir}/rsa.key`)?.ttlMs, 300_000);
  });

  it('S2 of an older auth state are refused, so that a client gets another one, and of a user that is gone', async () => {
    const store = new FakeStore();
    const jwt = rsa();
    const { server, endpoint } = await serveStore(store, jwt);
    const raw = new RawClient(endpoint);
    const setup = connect({ endpoints: [endpoint], timeoutMs: 20_000 });
    const root = connect({ endpoints: [endpoint], timeoutMs: 20_000, auth: { name: 'root', password: 'r' } });
    try {
      await setup.auth.userAdd('root', { password: 'r' });
      await setup.auth.userGrantRole('root', 'root');
      await setup.auth.userAdd('u', { password: 'u' });
      await setup.auth.enable();
      const put = (): Promise<string> => refusal(raw.call('etcdserverpb.KV', 'Put', { key: Buffer.from('k') }));
      const login = async (name: string, password: string): Promise<void> => {
        raw.token = undefined;
        raw.token = String((await raw.call('etcdserverpb.Auth', 'Authenticate', { name, password }))['token']);
      };
      assert.equal(await refusal(login('root', 'wrong')), `3: ${ETCD_MESSAGES.AUTH_FAILED}`);
      await login('root', 'r');
      assert.deepEqual(jwt.claimsOf(raw.token ?? ''), { user: 'root', revision: store.auth.auth.revision });
      assert.equal(await put(), 'it was answered');
      await root.put('k', '1');
      await root.auth.roleAdd('another');
      assert.equal(await put(), `3: ${ETCD_MESSAGES.AUTH_OLD_REVISION}`);
      assert.equal(await refusal(raw.call('etcdserverpb.Cluster', 'MemberList', {})), `3: ${ETCD_MESSAGES.AUTH_OLD_REVISION}`);
      await root.put('k', '2');
      await login('u', 'u');
      assert.equal(await put(), `7: ${ETCD_MESSAGES.PERMISSION_DENIED}`);
      raw.token = `${raw.token}x`;
      assert.equal(await put(), `16: ${ETCD_MESSAGES.INVALID_AUTH_TOKEN}`);
      raw.token = await jwt.sign({ user: 'gone', revision: store.auth.auth.revision });
      assert.equal(await refusal(raw.call('etcdserverpb.Cluster', 'MemberList', {})), `7: ${ETCD_MESSAGES.PERMISSION_DENIED}`);
    } finally {
      for (const each of [raw, setup, root]) each.close();
      await server.drain(0);
    }
  });
});
