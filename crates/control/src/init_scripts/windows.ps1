# Fetches the Coder agent from the server and runs it.
$ErrorActionPreference = "Stop"
$ProgressPreference = "SilentlyContinue"

$url = "${ACCESS_URL}bin/coder-windows-${ARCH}.exe"
# Terminals of some editors only connect to a process of this name.
$binary = Join-Path $env:TEMP "sshd.exe"

try {
	[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
	while ($true) {
		try {
			Invoke-WebRequest -Uri $url -OutFile $binary -UseBasicParsing
			break
		} catch {
			Write-Output "coder init: $url could not be fetched, trying again in 30 seconds: $_"
			Start-Sleep -Seconds 30
		}
	}

	$version = (& $binary --version 2>&1 | Select-Object -First 1)
	if ("$version" -notlike "*Coder*") {
		throw "what $url gave is not the agent for this machine; it said: $version"
	}

	$env:CODER_AGENT_AUTH = "${AUTH_TYPE}"
	$env:CODER_AGENT_URL = "${ACCESS_URL}"
	& $binary agent
} catch {
	Write-Output "coder init: $_"
	Write-Output "coder init: this process stays for a day so that the message can be read"
	Start-Sleep -Seconds 86400
}
