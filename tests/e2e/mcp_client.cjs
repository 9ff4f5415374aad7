// An MCP client of others (the official SDK) at work: node mcp_client.cjs <node_modules> <url> <token> <workspace>.
// Says what it saw as one line of JSON.
const { createRequire } = require('node:module');
const [modules, url, token, workspace] = process.argv.slice(2);
const load = createRequire(modules + '/');
const { Client } = load('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = load('@modelcontextprotocol/sdk/client/streamableHttp.js');

async function connected(authorization) {
  const client = new Client({ name: 'test', version: '1' });
  const headers = { Authorization: authorization };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return client;
}

async function main() {
  const seen = {};
  seen.stranger = await connected('Bearer nonsense').then(() => 'let in', (error) => String(error.code ?? error));
  const client = await connected('Bearer ' + token);
  seen.server = client.getServerVersion();
  seen.instructions = client.getInstructions();
  seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
  seen.prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name);
  const wanted = { name: 'coder_agents_delegate', arguments: { task: 'mend it' } };
  seen.prompt = (await client.getPrompt(wanted)).messages[0].content.text;
  const call = async (name, args) => {
    const answer = await client.callTool({ name, arguments: args });
    return { text: answer.content[0].text, failed: answer.isError === true };
  };
  seen.me = await call('coder_get_authenticated_user', {});
  seen.none = await call('coder_get_workspace', { workspace_id: 'no-such-one' });
  // Beyond what is answered at once: this comes by a stream of events. Others are answered meanwhile.
  const slow = call('coder_workspace_bash', { workspace, command: 'sleep 7; echo made-$((6*7))' });
  seen.meanwhile = await call('coder_list_workspaces', {});
  seen.slow = await slow;
  await client.close();
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
