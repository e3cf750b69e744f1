/** Imports go only downward: for each folder of src/, the folders that it may import. */
const MAY_IMPORT = {
  base: [],
  raft: ['base'],
  ecc: ['base'],
  api: ['base'],
  checker: ['base'],
  http2: ['base'],
  dial: [],
  grpc: ['base', 'http2'],
  storage: ['base', 'ecc'],
  replica: ['base', 'api', 'raft', 'storage'],
  healing: ['base', 'api', 'storage', 'replica'],
  node: ['base', 'api', 'raft', 'storage', 'replica', 'healing'],
  observability: ['base', 'api', 'grpc', 'raft', 'ecc', 'storage', 'replica', 'healing', 'node'],
  server: ['base', 'api', 'dial', 'http2', 'grpc', 'raft', 'ecc', 'storage', 'replica', 'healing', 'node', 'observability'],
  client: ['base', 'api', 'dial'],
  drivers: ['base', 'client'],
  embed: ['base', 'api', 'grpc', 'storage', 'replica', 'node', 'server', 'client'],
  sim: ['base', 'api', 'checker', 'raft', 'storage', 'replica', 'healing', 'node'],
};

const TESTS = '(\\.test\\.ts$|/testing/)';

const layers = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  name: `layer-${folder}`,
  comment: `src/${folder} may import ${allowed.length === 0 ? 'nothing' : allowed.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${folder}/`, pathNot: TESTS },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...layers,
    { name: 'no-cycles', severity: 'error', from: { pathNot: TESTS }, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    {
      name: 'pure-folders-reach-no-node',
      severity: 'error',
      from: { path: '^src/(base|raft|ecc|checker|http2|grpc|storage|replica|healing|node|sim|api/(?!protos/))', pathNot: TESTS },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'shipped-code-imports-no-test-code', severity: 'error', from: { path: '^src/', pathNot: TESTS }, to: { path: TESTS } },
    {
      name: 'shipped-code-needs-no-dev-dependency',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
