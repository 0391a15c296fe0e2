"""`coord shell`: zkCli.sh's commands, one at a time, from a script, or with a prompt."""
