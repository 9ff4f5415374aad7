# Everything a person does with this project, by one word each.
SHELL := /bin/bash
TARGET := x86_64-unknown-linux-gnu
# One static build serves every Linux: nothing of the host's C library is needed at run time.
# Fixed addresses save the relocations, which each process would have to hold in memory.
STATIC := RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static"
BUILT := target/$(TARGET)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: deps
deps: ## Install what building and testing need (Debian, as root or through sudo)
	@scripts/deps.sh build

.PHONY: vendor
vendor: deps ## Fetch and pack PostgreSQL and OpenTofu, which travel inside the binary
	@cargo xtask vendor

# $(call programs,PROFILE OF THE AGENT,FOLDER,OPTIONS): the program of workspaces, packed into the whole.
define programs
	$(STATIC) cargo build --profile $(1) --target $(TARGET) -p cli --no-default-features --bin coder-slim $(3)
	@mkdir -p $(2)
	@cp $(BUILT)/$(1)/coder-slim $(2)/coder-slim
	@cargo xtask pack $(2)/coder-slim target/vendor/coder-slim.zst
	$(STATIC) cargo build --profile whole --target $(TARGET) -p cli --bin coder
	@cp $(BUILT)/whole/coder $(2)/coder
	@ls -lh $(2)/coder $(2)/coder-slim
endef

.PHONY: build
build: vendor ## Build target/release/coder (everything) and target/release/coder-slim (agent and client)
	$(call programs,slim,target/release)

# The same programs, but for the link-time optimisation that makes the agent's a few MiB smaller. Both have the
# whole's features of dependencies, so that these are compiled once: the packages named here bring them.
.PHONY: build-demo
build-demo: vendor
	$(call programs,whole,target/demo,-p server -p store -p terraform-provider)

.PHONY: dev
dev: vendor ## Build both binaries for development (target/debug)
	cargo build -p cli --bins

.PHONY: demo
demo: build-demo ## From nothing to a shell in a running workspace; goes on serving (DEMO_ONCE=1 stops after the proof)
	@scripts/demo.sh

.PHONY: demo-chat
demo-chat: build-demo ## AI agents in the terminal: one mends a program, one makes its own workspace (DEMO_ONCE=1 as above)
	@cargo build -q -p testkit --no-default-features --example scripted-model
	@scripts/demo-chat.sh

.PHONY: test
test: vendor ## Run every test
	@scripts/deps.sh test
	cargo build -p cli --bins
	cargo test --workspace

.PHONY: check
check: ## Format, lints, rules of the house, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo xtask tidy
	cargo xtask audit

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: bench
bench: build ## Measure the built binary (BENCH_PEER=/path/to/other/coder compares)
	@benches/run.sh

.PHONY: bench-tunnel
bench-tunnel: build ## The same for the tunnel: speed, copies, the echo of a key, memory, many pairs at the relay
	cargo build --release -p benches
	@benches/run.sh tunnel

.PHONY: clean
clean: ## Remove what was built and the demo's data
	cargo clean
	rm -rf .demo
