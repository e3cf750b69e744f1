/** The JSON gateway: what it carries out, and what it says to a request that is none. */

import { bytes, type Case } from './case.js';
import { JsonDoor } from './json-door.js';

const b64 = (text: string): string => bytes(text).toString('base64');

const good: Case = {
  name: 'json: keys, transactions and compaction',
  service: 'KV',
  async run(peer) {
    const door = new JsonDoor(peer);
    await door.post('/v3/kv/put', { key: b64('j/a'), value: b64('1') });
    await door.post('/v3/kv/put', { key: b64('j/a'), value: b64('2'), prev_kv: true });
    await door.post('/v3/kv/put', { key: b64('j/b'), value: b64('\xff\xfe\x00'), prevKv: true });
    await door.post('/v3/kv/put', { key: b64('j/empty') });
    await door.post('/v3/kv/put', { key: b64('j/none'), ignore_value: true });
    await door.post('/v3/kv/put', { key: b64('j/a'), value: b64('x'), ignore_lease: true, lease: '7' });
    await door.post('/v3/kv/range', { key: b64('j/a') });
    await door.post('/v3/kv/range', { key: b64('j/'), range_end: b64('j0') });
    await door.post('/v3/kv/range', { key: b64('j/'), rangeEnd: b64('j0'), limit: '1', sort_order: 'DESCEND', sort_target: 'MOD' });
    await door.post('/v3/kv/range', { key: b64('j/'), range_end: b64('j0'), limit: 2, sortOrder: 2, sortTarget: 3 });
    await door.post('/v3/kv/range', { key: b64('j/'), range_end: b64('j0'), count_only: true });
    await door.post('/v3/kv/range', { key: b64('j/'), range_end: b64('j0'), keys_only: true, serializable: true });
    await door.post('/v3/kv/range', { key: b64('j/nothing') });
    await door.post('/v3/kv/range', { key: b64('j/'), range_end: b64('j0'), sort_order: 'NONE', sort_target: 'KEY', revision: '0', limit: '0' });
    await door.post('/v3/kv/txn', {
      compare: [{ key: b64('j/a'), target: 'VALUE', value: b64('2') }],
      success: [{ request_put: { key: b64('j/t'), value: b64('t'), prev_kv: true } }, { request_range: { key: b64('j/t') } }, { request_delete_range: { key: b64('j/no') } }],
    });
    await door.post('/v3/kv/txn', {
      compare: [{ key: b64('j/a'), target: 'VERSION', result: 'GREATER', version: '5' }, { key: b64('j/a'), target: 'CREATE', result: 'NOT_EQUAL', createRevision: 0 }],
      failure: [{ requestRange: { key: b64('j/a') } }, { request_txn: { success: [{ request_put: { key: b64('j/in'), value: b64('i') } }] } }],
    });
    await door.post('/v3/kv/txn', { compare: [{ key: b64('j/a'), target: 'MOD', result: 'LESS', mod_revision: '1' }] });
    await door.post('/v3/kv/txn', {});
    await door.post('/v3/kv/txn', { success: [{ request_put: { key: b64('j/d') } }, { request_put: { key: b64('j/d') } }] });
    await door.post('/v3/kv/txn', { success: [{}] });
    await door.post('/v3/kv/deleterange', { key: b64('j/t'), prev_kv: true });
    await door.post('/v3/kv/deleterange', { key: b64('j/t') });
    await door.post('/v3/kv/deleterange', { key: b64('j/'), range_end: b64('j0') });
    await door.post('/v3/kv/deleterange', {});
    const { header } = await door.quietly('/v3/kv/range', { key: b64('j/a') }) as { header: { revision: string } };
    const revision = Number(header.revision);
    await door.post('/v3/kv/compaction', { revision: revision - 1, physical: true });
    await door.post('/v3/kv/compaction', { revision: String(revision - 1) });
    await door.post('/v3/kv/range', { key: b64('j/a'), revision: String(revision - 2) });
    await door.post('/v3/kv/compaction', { revision: '900000' });
    await door.post('/v3/kv/range', { key: b64('j/a'), revision: 900000 });
  },
};

const malformed: Case = {
  name: 'json: what is no JSON, no message, or no method',
  service: 'KV',
  async run(peer) {
    const door = new JsonDoor(peer);
    for (const text of [
      '', ' ', '{', '{}', '[]', 'null', '"x"', '7', 'true', 'nonsense', '{bad', '{"key"', '{"key":', '{"key":}', '{"key":"YQ=="', '{"key":"YQ==",}', '{"key" "YQ=="}',
      '{"key":"YQ=="} trailing', '{"key":"YQ=="}{"key":"Yg=="}', '{"key":"YQ==","key":"Yg=="}', '{\'key\':"YQ=="}', '{"key":"YQ==","limit":01}', '{"key":"YQ==" /* c */}',
      '{"key":"YQ==","unknown":1}', '{"key":"YQ==","unknown":{"a":[1,{"b":null}]},"limit":"1"}', '{"Key":"YQ=="}', '{"":"YQ=="}',
      '{"key":"!!"}', '{"key":"YQ"}', '{"key":"YQ="}', '{"key":"Y"}', '{"key":"_-8="}', '{"key":"_-8"}', '{"key":"+/8"}', '{"key":7}', '{"key":null}', '{"key":["YQ=="]}', '{"key":{}}', '{"key":true}',
      '{"key":"YQ==","limit":"1"}', '{"key":"YQ==","limit":1}', '{"key":"YQ==","limit":1.0}', '{"key":"YQ==","limit":1e0}', '{"key":"YQ==","limit":"1e0"}', '{"key":"YQ==","limit":1.5}', '{"key":"YQ==","limit":"one"}',
      '{"key":"YQ==","limit":""}', '{"key":"YQ==","limit":" 1"}', '{"key":"YQ==","limit":-1}', '{"key":"YQ==","limit":9223372036854775807}', '{"key":"YQ==","limit":9223372036854775808}', '{"key":"YQ==","limit":"9223372036854775808"}',
      '{"key":"YQ==","limit":null}', '{"key":"YQ==","limit":true}', '{"key":"YQ==","limit":[1]}',
      '{"key":"YQ==","serializable":"true"}', '{"key":"YQ==","serializable":1}', '{"key":"YQ==","serializable":null}',
      '{"key":"YQ==","sort_order":"ASCEND"}', '{"key":"YQ==","sort_order":"ascend"}', '{"key":"YQ==","sort_order":"SIDEWAYS"}', '{"key":"YQ==","sort_order":9}', '{"key":"YQ==","sort_order":"1"}', '{"key":"YQ==","sort_order":1.5}',
      '{"key":"YQ==","min_mod_revision":"x"}', '{"key":"YQ==","limit":-}', '{"key":"YQ==","limit":1.}', '{"key":"YQ==","limit":1e}', '{"key":"YQ==","limit":1.5.2}', '{"key":"YQ==","limit":nulL}', '{"key":"YQ==","limit":tru',
      '{"key":"\\u00g0"}', '{"key":"\\u0', '{"key":"\\ud800","limit":1}', '{"key":"\\udc00\\ud800","limit":1}', '{"key":"\\ud800\\u0041","limit":1}', '{"x":"\\q"}', '{"limit":"\\q"}', '{"key":\x7f}', '{"key":\xad}',
      '{"k\\u0065y":"YQ=="}', '{"key":"Y\\u0051=="}', '{"key":"\\x"}', '{"key":"\\ud800"}', '{"key":"YQ==\n"}', '{"key":"YQ\t=="}', '\ufeff{"key":"YQ=="}',
    ]) {
      await door.post('/v3/kv/range', text);
    }
    for (const text of ['{"success":{}}', '{"success":[null]}', '{"success":[{"request_put":{},"request_range":{}}]}', '{"success":[{"request_put":null,"request_range":{"key":"YQ=="}}]}', '{"compare":[{"key":"YQ==","version":"1","mod_revision":"1"}]}', '{"compare":[7]}']) {
      await door.post('/v3/kv/txn', text);
    }
    await door.post('/v3/kv/put', { key: b64('big'), value: Buffer.alloc(1_700_000, 'v').toString('base64') });
    for (const path of ['/v3/kv/nope', '/v3/kv/range/', '/v3/kv', '/v3/', '/v3', '/v3/KV/range', '/v3alpha/kv/range', '/v3beta/kv/range', '/v4/kv/range', '/etcdserverpb.KV/Range', '/v3/kv/range?x=1', '/v3/kv/range?key=YQ==']) {
      await door.post(path, '{"key":"YQ=="}');
    }
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']) await door.post('/v3/kv/range', '', { method });
    for (const path of ['kv/nope', 'kv/put', 'kv/txn', 'watch', 'lease/grant', 'lease/keepalive', 'cluster/member/list', 'maintenance/snapshot', 'auth/enable', 'lock/lock']) {
      await door.post(`/v3/${path}`, '', { method: 'GET' });
    }
    for (const path of ['health', 'version']) await door.post(`/${path}`, '{}');
    await door.post('/v3/kv/range', 'key=YQ%3D%3D', { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    await door.post('/v3/kv/range', '{"key":"YQ=="}', { headers: { 'content-type': 'text/plain' } });
    await door.post('/v3/kv/range', '{"key":"YQ=="}', { headers: { 'grpc-timeout': 'soon' } });
    await door.post('/v3/kv/range', '{"key":"YQ=="}', { headers: { 'x-http-method-override': 'GET' } });
    await door.post('/v3/kv/range', '{"key":"YQ=="}', { headers: { 'x-http-method-override': 'GET', 'content-type': 'application/x-www-form-urlencoded' } });
    await door.post('/v3/kv/range', '{"key":"YQ=="}', { headers: { authorization: 'nonsense' } });
    for (const value of ['YQ', 'YQ==', '!!', 'YQ===', 'YQ=A', 'YWI=YWI=', 'YQYQY', 'Y===', 'YQ==YQYQ', 'YWI-', 'YQ,YQ']) {
      await door.post('/v3/kv/range', '{"key":"YQ=="}', { headers: { 'grpc-metadata-trace-bin': value } });
    }
  },
};

const pages: Case = {
  name: 'json: how a member is',
  service: 'Maintenance',
  since: '3.6',
  async run(peer) {
    const door = new JsonDoor(peer);
    const get = (path: string): Promise<unknown> => door.post(path, '', { method: 'GET' });
    for (const query of ['', '?serializable=true', '?serializable=false', '?exclude=NOSPACE']) await get(`/health${query}`);
    for (const path of ['/livez', '/readyz', '/readyz?exclude=linearizable_read', '/readyz?exclude=nothing&exclude=', '/livez?exclude=serializable_read']) await get(path);
    const each = ['/livez/serializable_read', '/readyz/serializable_read', '/readyz/linearizable_read', '/readyz/data_corruption', '/readyz/non_learner'];
    for (const path of each) for (const query of ['', '?verbose', '?verbose=false&exclude=serializable_read']) await get(path + query);
    for (const path of ['/livez/non_learner', '/readyz/nothing', '/readyz/']) await get(path);
    for (const path of ['/livez', '/readyz', '/readyz/non_learner']) await door.post(path, '{}');
    await peer.call('Maintenance', 'Alarm', { action: 'ACTIVATE', alarm: 'CORRUPT' });
    for (const path of ['/health', '/health?serializable=true', '/health?exclude=CORRUPT', '/livez', '/readyz?exclude=data_corruption', ...each]) await get(path);
    await peer.call('Maintenance', 'Alarm', { action: 'DEACTIVATE', alarm: 'CORRUPT' });
    await get('/readyz');
  },
};

const leases: Case = {
  name: 'json: leases, watches and their streams',
  service: 'Lease',
  async run(peer) {
    const door = new JsonDoor(peer);
    peer.given('7701');
    for (const body of [{ TTL: '6000', ID: '7701' }, { TTL: 6000, ID: 7701 }, { TTL: '0' }, { TTL: '9000000001' }, { ttl: '6000' }]) await door.post('/v3/lease/grant', body);
    await door.post('/v3/kv/put', { key: b64('jl/a'), value: b64('1'), lease: '7701' });
    await door.post('/v3/kv/put', { key: b64('jl/b'), lease: peer.given('7799') });
    for (const path of ['/v3/lease/timetolive', '/v3/kv/lease/timetolive']) await door.post(path, { ID: '7701', keys: true });
    await door.post('/v3/lease/timetolive', { ID: '7799' });
    for (const path of ['/v3/lease/leases', '/v3/kv/lease/leases']) await door.post(path, {});
    const keep = door.stream('/v3/lease/keepalive');
    for (const value of [{ ID: '7701' }, { ID: 7701 }, { ID: peer.given('7799') }]) await keep.ask(value);
    await keep.finish();
    keep.close();
    await door.post('/v3/lease/keepalive', { ID: '7701' });
    await door.post('/v3/lease/keepalive', '{bad');
    await door.post('/v3/lease/keepalive', '{"ID":"x"}');
    await door.post('/v3/lease/keepalive', '');
    const watch = door.stream('/v3/watch');
    await watch.ask({ create_request: { key: b64('jw/'), range_end: b64('jw0'), prev_kv: true } });
    await door.post('/v3/kv/put', { key: b64('jw/a'), value: b64('1') });
    await watch.next('a put');
    await door.post('/v3/kv/txn', { success: [{ request_put: { key: b64('jw/a'), value: b64('2') } }, { request_put: { key: b64('jw/b'), lease: '7701' } }] });
    await watch.next('two puts');
    await door.post('/v3/kv/deleterange', { key: b64('jw/a') });
    await watch.next('a deletion');
    await watch.ask({ progress_request: {} });
    await watch.ask({ createRequest: { key: b64('jw/a'), watchId: '9', filters: ['NOPUT'] } });
    await watch.ask({ create_request: { key: b64('jw/a'), watch_id: 9 } });
    await watch.ask({ cancel_request: { watch_id: '9' } });
    await watch.ask({ cancel_request: { watch_id: '77' } }, 300);
    await watch.ask({}, 300);
    await watch.ask({ create_request: { key: b64('jw/a'), start_revision: '1' } });
    await watch.next('it is compacted', 500);
    await watch.ask('{"create_request":{"key":"!!"}}');
    await watch.next('after that', 300);
    watch.close();
    await door.post('/v3/watch', '{bad');
    const late = door.stream('/v3/watch');
    await late.ask({ create_request: { key: b64('jw/z') } });
    await late.finish(300);
    await door.post('/v3/kv/put', { key: b64('jw/z'), value: b64('1') });
    await late.next('a put after the request has ended');
    late.close();
    for (const path of ['/v3/lease/revoke', '/v3/kv/lease/revoke']) await door.post(path, { ID: '7701' });
  },
};

const others: Case = {
  name: 'json: members, maintenance, locks and elections',
  service: 'Election',
  async run(peer) {
    const door = new JsonDoor(peer);
    const { members = [] } = ((await door.post('/v3/cluster/member/list', {})) ?? {}) as { members?: { ID: string }[] };
    await door.post('/v3/cluster/member/list', { linearizable: true });
    for (const body of [{}, { peerURLs: ['nonsense'] }, { peerURLs: 'http://127.0.0.1:1' }, { peerURLs: [7] }]) await door.post('/v3/cluster/member/add', body);
    for (const path of ['remove', 'promote']) await door.post(`/v3/cluster/member/${path}`, { ID: '12345' });
    await door.post('/v3/cluster/member/update', { ID: '12345', peerURLs: ['http://127.0.0.1:40996'] });
    await door.post('/v3/cluster/member/remove', { ID: 'x' });
    await door.post('/v3/maintenance/status', {});
    await door.post('/v3/maintenance/alarm', { action: 'GET' });
    await door.post('/v3/maintenance/alarm', {});
    await door.post('/v3/maintenance/alarm', { action: 'DEACTIVATE', alarm: 'NOSPACE', memberID: '0' });
    await door.post('/v3/maintenance/defragment', {});
    await door.post('/v3/maintenance/hash', {});
    await door.post('/v3/maintenance/hashkv', { revision: '0' });
    await door.post('/v3/maintenance/hashkv', { revision: 900000 });
    await door.post('/v3/maintenance/transfer-leadership', { targetID: '99' });
    await door.post('/v3/maintenance/transfer-leadership', { targetID: members[0]?.ID });
    await door.post('/v3/maintenance/downgrade', { action: 'VALIDATE', version: 'x' });
    await door.post('/v3/maintenance/downgrade', { action: 'CANCEL' });
    await door.quietly('/v3/lease/grant', { TTL: '6000', ID: peer.given('7711') });
    await door.post('/v3/lock/lock', { name: b64('jk'), lease: '7711' });
    await door.post('/v3/lock/lock', { name: b64('jk'), lease: peer.given('7799') });
    await door.post('/v3/lock/unlock', { key: b64('jk/1e1f') });
    await door.post('/v3/lock/unlock', {});
    await door.post('/v3/election/leader', { name: b64('je') });
    const won = await door.post('/v3/election/campaign', { name: b64('je'), lease: '7711', value: b64('one') });
    await door.post('/v3/election/leader', { name: b64('je') });
    await door.post('/v3/election/proclaim', { leader: won?.['leader'], value: b64('two') });
    const observed = door.stream('/v3/election/observe');
    await observed.ask({ name: b64('je') }, 100);
    await observed.finish(2_000);
    observed.close();
    await door.post('/v3/election/resign', { leader: won?.['leader'] });
    await door.post('/v3/election/proclaim', { leader: won?.['leader'], value: b64('late') });
    await door.post('/v3/election/resign', {});
    await door.post('/v3/election/campaign', { name: b64('je') + '!' });
  },
};

const auth: Case = {
  name: 'json: users, roles, and tokens',
  service: 'Auth',
  async run(peer) {
    const door = new JsonDoor(peer);
    await door.post('/v3/auth/status', {});
    await door.post('/v3/auth/authenticate', { name: 'root', password: 'x' });
    for (const body of [{ name: 'jroot', password: 'p' }, { name: 'jroot', password: 'p' }, { name: '' }, { name: 'jsel', password: 'p', options: { noPassword: false } }, { name: 7 }]) await door.post('/v3/auth/user/add', body);
    for (const name of ['jr', 'jr', '']) await door.post('/v3/auth/role/add', { name });
    await door.post('/v3/auth/user/grant', { user: 'jsel', role: 'jr' });
    for (const perm of [{ permType: 'READ', key: b64('j/'), range_end: b64('j0') }, { permType: 'READWRITE', key: b64('jx') }, { permType: 'SOME', key: b64('jx') }]) {
      await door.post('/v3/auth/role/grant', { name: 'jr', perm });
    }
    for (const [path, body] of [['user/get', { name: 'jsel' }], ['role/get', { role: 'jr' }], ['user/get', { name: 'nobody' }], ['role/get', { role: 'none' }], ['user/list', {}], ['role/list', {}], ['user/changepw', { name: 'jsel', password: 'q' }]] as const) {
      await door.post(`/v3/auth/${path}`, body);
    }
    for (const [path, body] of [['user/add', { name: 'root', password: 'rootpw' }], ['role/add', { name: 'root' }], ['user/grant', { user: 'root', role: 'root' }]] as const) await door.quietly(`/v3/auth/${path}`, body);
    await door.post('/v3/auth/enable', {});
    await door.post('/v3/auth/authenticate', { name: 'jsel', password: 'p' });
    const tokens: (string | undefined)[] = [undefined, 'nonsense'];
    for (const [name, password] of [['jsel', 'q'], ['root', 'rootpw']]) tokens.push((await door.post('/v3/auth/authenticate', { name, password }))?.['token'] as string | undefined);
    for (const token of tokens) {
      door.useToken(token);
      await door.post('/v3/kv/range', { key: b64('j/a') });
      await door.post('/v3/kv/range', { key: b64('k') });
      await door.post('/v3/kv/put', { key: b64('j/a'), value: b64('1') });
      await door.post('/v3/auth/user/list', {});
      await door.post('/v3/maintenance/defragment', {});
      await door.post('/v3/lease/leases', {});
      const watch = door.stream('/v3/watch');
      await watch.ask({ create_request: { key: b64('k') } });
      watch.close();
    }
    await door.post('/v3/auth/role/revoke', { role: 'jr', key: b64('jx') });
    await door.post('/v3/auth/user/revoke', { name: 'jsel', role: 'jr' });
    await door.post('/v3/auth/user/delete', { name: 'jsel' });
    await door.post('/v3/auth/role/delete', { role: 'jr' });
    await door.post('/v3/auth/disable', {});
    door.useToken(undefined);
    await door.post('/v3/auth/status', {});
  },
};

export const JSON_CASES: readonly Case[] = [pages, good, malformed, leases, others];
/** Behind the cases of auth: there is a root then, whose password this one knows. */
export const JSON_AUTH_CASES: readonly Case[] = [auth];
