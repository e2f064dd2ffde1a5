// A chemist's session by one of the TypeScript SDK's clients; what it saw, as one line of JSON on stdout.
//
//     node session.mjs '{"sdk": "v1" | "v2", "era": "legacy" | "modern", "package": "…/node_modules/…",
//                        "stdio": {"command", "args", "env"} | "http": {"url", "headers"}}'
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const asked = JSON.parse(process.argv[2]);
const require = createRequire(asked.package + '/');
const load = (name) => import(pathToFileURL(require.resolve(name)));

async function parts() {
  if (asked.sdk === 'v1') {
    const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
    const { StdioClientTransport } = await load('@modelcontextprotocol/sdk/client/stdio.js');
    const { StreamableHTTPClientTransport } = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');
    const { ElicitRequestSchema } = await load('@modelcontextprotocol/sdk/types.js');
    return { Client, StdioClientTransport, StreamableHTTPClientTransport, elicitation: ElicitRequestSchema };
  }
  const { Client, StreamableHTTPClientTransport } = await load('@modelcontextprotocol/client');
  const { StdioClientTransport } = await load('@modelcontextprotocol/client/stdio');
  return { Client, StdioClientTransport, StreamableHTTPClientTransport, elicitation: 'elicitation/create' };
}

const { Client, StdioClientTransport, StreamableHTTPClientTransport, elicitation } = await parts();
const options = { capabilities: { elicitation: {} } };
if (asked.sdk === 'v2') {
  options.versionNegotiation = { mode: asked.era === 'modern' ? { pin: '2026-07-28' } : 'legacy' };
}
const client = new Client({ name: `typescript-${asked.sdk}`, version: '1.0.0' }, options);
const questions = [];
client.setRequestHandler(elicitation, async (request) => {
  questions.push(request.params.message);
  return { action: 'accept', content: { approve: true } };
});
const transport = asked.stdio
  ? new StdioClientTransport({ ...asked.stdio, stderr: 'inherit' })
  : new StreamableHTTPClientTransport(new URL(asked.http.url), { requestInit: { headers: asked.http.headers } });
await client.connect(transport);

const seen = { tools: (await client.listTools()).tools.map((tool) => tool.name) };
seen.templates = (await client.listResourceTemplates()).resourceTemplates.map((template) => template.uriTemplate);
seen.prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name);

const call = (name, args, how = {}) =>
  asked.sdk === 'v1'
    ? client.callTool({ name, arguments: args }, undefined, how)
    : client.callTool({ name, arguments: args }, how);
const read = async (name, args, how) => {
  const answer = await call(name, args, how);
  if (answer.isError) throw new Error(`${name}: ${answer.content[0].text}`);
  return answer.structuredContent;
};

seen.found = (await read('find_platform_tools', { query: 'dock ligands' })).tools[0].tool_key;
const described = await read('describe_platform_tool', { tool_key: seen.found });
const quote = await read('create_execution', { tool_key: seen.found, inputs: described.example_inputs, name: asked.name });
seen.quote = { status: quote.status, price: quote.quoted_price };

const confirmed = await call('confirm_execution', {
  execution_id: quote.execution_id,
  expected_price: quote.quoted_price,
});
seen.questions = questions.length;
seen.refused = confirmed.isError ? confirmed.content[0].text : null;
if (!confirmed.isError) {
  const progress = [];
  const waited = await read(
    'wait_executions',
    { execution_ids: [quote.execution_id], poll_interval_seconds: 1 },
    { onprogress: (told) => progress.push(told.progress) },
  );
  seen.all_done = waited.all_done;
  seen.progress = progress.length > 0 && progress.every((value, index) => index === 0 || value > progress[index - 1]);
  const resource = await client.readResource({ uri: `deeporigin://executions/${quote.execution_id}` });
  seen.resource = JSON.parse(resource.contents[0].text).status;
}

const wrong = await call('get_execution', { execution_id: 'nonsense' });
seen.error = wrong.isError ? wrong.content[0].text : null;

// A call that its client gives up must leave the server able to answer the next one.
const given_up = new AbortController();
const waiting = call('wait_executions', { execution_ids: [asked.endless] }, { signal: given_up.signal }).then(
  () => 'answered',
  () => 'given up',
);
setTimeout(() => given_up.abort(), 300);
seen.aborted = await waiting;
seen.after = (await read('get_execution', { execution_id: quote.execution_id })).status;
await client.close();
process.stdout.write(JSON.stringify(seen) + '\n');
