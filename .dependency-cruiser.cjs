/** Imports go only downward: for each folder of src/, the folders that it may import. */
const MAY_IMPORT = {
  base: [],
  raft: ['base'],
  ecc: ['base'],
  storage: ['base', 'ecc'],
  replica: ['base', 'raft', 'storage'],
  healing: ['base', 'storage', 'replica'],
  observability: ['base', 'raft', 'ecc', 'storage', 'replica', 'healing'],
  server: ['base', 'raft', 'ecc', 'storage', 'replica', 'healing', 'observability', 'client/wire'],
  client: ['base'],
  sim: ['base', 'raft', 'storage', 'replica', 'healing'],
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
      from: { path: '^src/(base|raft|ecc|storage|replica|healing|sim)/', pathNot: TESTS },
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
