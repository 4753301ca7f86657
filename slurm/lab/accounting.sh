# Sourced by `start --accounting`: a database in the lab's folder, and slurmdbd in front of it.
# shellcheck shell=bash

SQL_SOCKET=$LAB/run/mariadb.sock

sql() { mariadb --no-defaults --socket="$SQL_SOCKET" --user=root --execute="$1"; }

start_database() {
    local user
    user=$(id -un)
    if [ ! -d "$LAB/mysql/mysql" ]; then
        mariadb-install-db --no-defaults --user="$user" --datadir="$LAB/mysql" --skip-test-db \
            --auth-root-authentication-method=normal --innodb-log-file-size=8M >"$LAB/log/mariadb-install.log" 2>&1
    fi
    # Crash safety is switched off: a lab's database is not worth a disk's wait.
    setsid mariadbd --no-defaults --user="$user" --datadir="$LAB/mysql" --socket="$SQL_SOCKET" \
        --pid-file="$LAB/run/mariadbd.pid" --bind-address=127.0.0.1 --port=$((PORT + 2)) --skip-name-resolve \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=8M --innodb-flush-log-at-trx-commit=0 \
        --innodb-lock-wait-timeout=900 --performance-schema=OFF --log-error="$LAB/log/mariadb.log" \
        </dev/null >/dev/null 2>&1 9<&- &
    until_true 60 sql "select 1"
    sql "create database if not exists slurm_acct_db;
         create user if not exists 'slurm'@'127.0.0.1' identified by 'slurm';
         grant all on slurm_acct_db.* to 'slurm'@'127.0.0.1';"
}

start_slurmdbd() {
    cat >"$LAB/etc/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$LAB/munge/socket
DbdHost=$(hostname -s)
DbdAddr=127.0.0.1
DbdPort=$((PORT + 1))
CommunicationParameters=NoInAddrAny
SlurmUser=$(id -un)
PidFile=$LAB/run/slurmdbd.pid
LogFile=$LAB/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((PORT + 2))
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CONF
    chmod 600 "$LAB/etc/slurmdbd.conf"
    start_daemon slurmdbd slurmdbd
    until_true 30 timeout 5 sacctmgr -n show cluster
    # 'Nothing new added', with status 1, where the folder is used again.
    timeout 30 sacctmgr -i add cluster lab >>"$LAB/log/start.log" 2>&1 || true
}

# limit_submissions: an account and a QOS for the user, which lets them have so many tasks in the queue.
limit_submissions() {
    [ "$MAX_SUBMIT" != 0 ] || return 0
    {
        sacctmgr -i add account people || true
        sacctmgr -i add user "$(id -un)" account=people || true
        sacctmgr -i modify qos normal set MaxSubmitJobsPerUser="$MAX_SUBMIT" || true
    } >>"$LAB/log/start.log" 2>&1
}
