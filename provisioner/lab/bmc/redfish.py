"""A small Redfish service on one controller, as a WSGI application.

Source: DSP0266 1.6 (protocol), DSP8010 (schemas). Sessions and basic authentication, ETag and
If-Match, power, boot override, sensors, event log, accounts. What is not there answers 404.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from provisioner.lab.bmc import redfish_resources as show
from provisioner.lab.bmc.accounts import ADMINISTRATOR, OPERATOR, USER
from provisioner.lab.bmc.boot import encoded
from provisioner.lab.bmc.controller import Controller
from provisioner.lab.bmc.redfish_auth import Logins
from provisioner.lab.bmc.redfish_wire import Wrong, as_json, body, failure, match, shown

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY = 64 * 1024
ALTER, DROP = ["GET", "PATCH"], ["GET", "DELETE"]


class RedfishService:
    """The service of one controller."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._logins = Logins(controller)
        read, act = ["GET"], ["POST"]
        self._map = Map(
            [
                Rule("/redfish", endpoint=self._versions, methods=read),
                Rule("/redfish/v1", endpoint=self._root, methods=read),
                Rule("/redfish/v1/odata", endpoint=self._odata, methods=read),
                Rule("/redfish/v1/SessionService", endpoint=self._session_service, methods=read),
                Rule(show.SESSIONS, endpoint=self._sessions, methods=read),
                Rule(show.SESSIONS, endpoint=self._login, methods=act),
                Rule(f"{show.SESSIONS}/<number>", endpoint=self._session, methods=DROP),
                Rule("/redfish/v1/Systems", endpoint=self._systems, methods=read),
                Rule(show.SYSTEM, endpoint=self._system, methods=ALTER),
                Rule(f"{show.SYSTEM}/Actions/ComputerSystem.Reset", endpoint=self._reset,
                     methods=act),
                Rule(f"{show.SYSTEM}/EthernetInterfaces", endpoint=self._interfaces, methods=read),
                Rule(f"{show.SYSTEM}/EthernetInterfaces/<int:number>", endpoint=self._interface,
                     methods=read),
                Rule("/redfish/v1/Chassis", endpoint=self._chassis_list, methods=read),
                Rule(show.CHASSIS, endpoint=self._of(show.chassis), methods=read),
                Rule(f"{show.CHASSIS}/Thermal", endpoint=self._of(show.thermal), methods=read),
                Rule(f"{show.CHASSIS}/Power", endpoint=self._of(show.power), methods=read),
                Rule("/redfish/v1/Managers", endpoint=self._managers, methods=read),
                Rule(show.MANAGER, endpoint=self._of(show.manager), methods=read),
                Rule(f"{show.MANAGER}/Actions/Manager.Reset", endpoint=self._restart, methods=act),
                Rule(f"{show.MANAGER}/LogServices", endpoint=self._log_services, methods=read),
                Rule(show.LOG, endpoint=self._of(show.log_service), methods=read),
                Rule(f"{show.LOG}/Entries", endpoint=self._of(show.log_entries), methods=read),
                Rule(f"{show.LOG}/Actions/LogService.ClearLog", endpoint=self._clear, methods=act),
                Rule(show.ACCOUNTS, endpoint=self._account_service, methods=read),
                Rule(f"{show.ACCOUNTS}/Accounts", endpoint=self._accounts, methods=read),
                Rule(f"{show.ACCOUNTS}/Accounts/<int:number>", endpoint=self._account,
                     methods=ALTER),
                Rule(f"{show.ACCOUNTS}/Roles", endpoint=self._roles, methods=read),
            ],
            strict_slashes=False,
            merge_slashes=False,
            redirect_defaults=False,
        )  # fmt: skip

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY
        response = self._respond(request)
        response.headers["OData-Version"] = "4.0"
        response.headers["Cache-Control"] = "no-cache"
        return response(environ, start)

    def _respond(self, request: Request) -> Response:
        try:
            if self._controller.away:
                raise Wrong(503, "ServiceTemporarilyUnavailable", "the controller restarts")
            endpoint, values = self._map.bind_to_environ(request.environ).match()
            open_to_all = (self._versions, self._root, self._odata, self._login)
            if endpoint not in open_to_all:
                self._authorise(request)
            found: Response = endpoint(request, **values)
            return found
        except Wrong as wrong:
            return failure(wrong.status, wrong.code, wrong.text)
        except HTTPException as other:
            return failure(other.code or 500, "GeneralError", str(other.name).lower())

    def _authorise(self, request: Request) -> None:
        account = self._logins.account(request)
        if account is None:
            raise Wrong(401, "NoValidSession", "no valid session or credentials")
        path = request.path
        if request.method in ("POST", "PATCH", "DELETE"):
            needed = OPERATOR
            if path.startswith((show.ACCOUNTS, f"{show.MANAGER}/Actions")):
                needed = ADMINISTRATOR
            elif path.startswith(show.SESSIONS):
                needed = USER
            if account.privilege < needed:
                raise Wrong(403, "InsufficientPrivilege", "the account may not do that")

    # -- service -------------------------------------------------------------------------------

    def _versions(self, request: Request) -> Response:
        return shown(request, {"v1": show.ROOT})

    def _root(self, request: Request) -> Response:
        return shown(request, show.service_root(self._controller))

    def _odata(self, request: Request) -> Response:
        return shown(request, show.odata())

    def _of(self, build: Callable[[Controller], show.Document]) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            return shown(request, build(self._controller))

        return respond

    # -- sessions ------------------------------------------------------------------------------

    def _session_service(self, request: Request) -> Response:
        path = "/redfish/v1/SessionService"
        more = {"ServiceEnabled": True, "SessionTimeout": 300, "Sessions": show.link(show.SESSIONS)}
        kind = "#SessionService.v1_1_6.SessionService"
        return shown(request, show.resource(path, kind, "Sessions", more))

    def _sessions(self, request: Request) -> Response:
        members = [f"{show.SESSIONS}/{login.id}" for login in self._logins.all()]
        return shown(request, show.collection(show.SESSIONS, "SessionCollection", members))

    def _login(self, request: Request) -> Response:
        sent = body(request)
        name, password = sent.get("UserName"), sent.get("Password")
        if not isinstance(name, str) or not isinstance(password, str):
            raise Wrong(400, "PropertyMissing", "UserName and Password are needed")
        try:
            login = self._logins.open(name, password)
        except OverflowError:
            text = "as many sessions as allowed are open"
            raise Wrong(503, "SessionLimitExceeded", text) from None
        if login is None:
            raise Wrong(401, "NoValidSession", "wrong name or password")
        path = f"{show.SESSIONS}/{login.id}"
        response = as_json(_session_document(path, login.name), 201)
        response.headers["Location"] = path
        response.headers["X-Auth-Token"] = login.token
        return response

    def _session(self, request: Request, number: str) -> Response:
        if request.method == "DELETE":
            if not self._logins.close(number):
                raise Wrong(404, "ResourceMissingAtURI", "no such session")
            return Response(status=204)
        for login in self._logins.all():
            if login.id == number:
                return shown(request, _session_document(request.path, login.name))
        raise Wrong(404, "ResourceMissingAtURI", "no such session")

    # -- the machine ---------------------------------------------------------------------------

    def _systems(self, request: Request) -> Response:
        path = "/redfish/v1/Systems"
        found = show.collection(path, "ComputerSystemCollection", [show.SYSTEM])
        return shown(request, found)

    def _system(self, request: Request) -> Response:
        if request.method == "GET":
            return shown(request, show.system(self._controller))
        match(request, show.system(self._controller))
        sent = body(request)
        if set(sent) != {"Boot"} or not isinstance(sent["Boot"], dict):
            raise Wrong(400, "PropertyUnknown", "only Boot can be changed")
        self._set_boot(sent["Boot"])
        return shown(request, show.system(self._controller))

    def _set_boot(self, wanted: dict[str, Any]) -> None:
        now = show.system(self._controller)["Boot"]
        target = wanted.get("BootSourceOverrideTarget", now["BootSourceOverrideTarget"])
        enabled = wanted.get("BootSourceOverrideEnabled", now["BootSourceOverrideEnabled"])
        mode = wanted.get("BootSourceOverrideMode", now["BootSourceOverrideMode"])
        if target not in show.TARGETS:
            raise Wrong(400, "PropertyValueNotInList", f"BootSourceOverrideTarget {target!r}")
        if enabled not in ("Disabled", "Once", "Continuous"):
            raise Wrong(400, "PropertyValueNotInList", f"BootSourceOverrideEnabled {enabled!r}")
        if mode not in ("Legacy", "UEFI"):
            raise Wrong(400, "PropertyValueNotInList", f"BootSourceOverrideMode {mode!r}")
        if enabled == "Disabled" or target == "None":
            self._controller.boot.clear()
            return
        self._controller.boot.clearing |= 0x08  # Redfish has no timer on the override
        self._controller.boot.set(
            encoded(show.TARGETS[target], persistent=enabled == "Continuous", uefi=mode == "UEFI")
        )

    def _reset(self, request: Request) -> Response:
        kind = body(request).get("ResetType")
        controller = self._controller
        on = controller.board.power()
        if kind in ("ForceRestart", "PowerCycle", "Nmi") and not on:
            raise Wrong(409, "ResourceInUse", f"{kind} needs a machine that is on")
        actions = {
            "On": controller.on,
            "ForceOn": controller.on,
            "ForceOff": controller.off,
            "GracefulShutdown": controller.soft_off,
            "ForceRestart": controller.reset,
            "PowerCycle": controller.cycle,
            "Nmi": controller.diag,
            "PushPowerButton": controller.soft_off if on else controller.on,
        }
        if not isinstance(kind, str) or kind not in actions:
            raise Wrong(400, "ActionParameterNotSupported", f"ResetType {kind!r}")
        actions[kind]()
        return Response(status=204)

    def _interfaces(self, request: Request) -> Response:
        path = f"{show.SYSTEM}/EthernetInterfaces"
        members = [f"{path}/{n + 1}" for n in range(len(self._controller.board.macs))]
        return shown(request, show.collection(path, "EthernetInterfaceCollection", members))

    def _interface(self, request: Request, number: int) -> Response:
        if not 1 <= number <= len(self._controller.board.macs):
            raise Wrong(404, "ResourceMissingAtURI", "no such interface")
        return shown(request, show.interface(self._controller, number - 1))

    def _chassis_list(self, request: Request) -> Response:
        found = show.collection("/redfish/v1/Chassis", "ChassisCollection", [show.CHASSIS])
        return shown(request, found)

    # -- the controller ------------------------------------------------------------------------

    def _managers(self, request: Request) -> Response:
        found = show.collection("/redfish/v1/Managers", "ManagerCollection", [show.MANAGER])
        return shown(request, found)

    def _restart(self, request: Request) -> Response:
        if body(request).get("ResetType") not in ("ForceRestart", "GracefulRestart", None):
            raise Wrong(400, "ActionParameterNotSupported", "ResetType")
        self._controller.cold_reset()
        return Response(status=204)

    def _log_services(self, request: Request) -> Response:
        path = f"{show.MANAGER}/LogServices"
        return shown(request, show.collection(path, "LogServiceCollection", [show.LOG]))

    def _clear(self, request: Request) -> Response:
        self._controller.clear_log()
        return Response(status=204)

    def _account_service(self, request: Request) -> Response:
        more = {
            "ServiceEnabled": True,
            "Accounts": show.link(f"{show.ACCOUNTS}/Accounts"),
            "Roles": show.link(f"{show.ACCOUNTS}/Roles"),
        }
        kind = "#AccountService.v1_5_0.AccountService"
        return shown(request, show.resource(show.ACCOUNTS, kind, "Accounts", more))

    def _accounts(self, request: Request) -> Response:
        path = f"{show.ACCOUNTS}/Accounts"
        members = [f"{path}/{n}" for n, _ in self._controller.accounts.numbered()]
        return shown(request, show.collection(path, "ManagerAccountCollection", members))

    def _account(self, request: Request, number: int) -> Response:
        slots = dict(self._controller.accounts.numbered())
        if number not in slots:
            raise Wrong(404, "ResourceMissingAtURI", "no such account")
        if request.method == "PATCH":
            match(request, show.account(self._controller, number))
            sent = body(request)
            if not sent or not set(sent) <= {"Password", "Enabled"}:
                raise Wrong(400, "PropertyUnknown", "only Password and Enabled can be changed")
            password, enabled = sent.get("Password"), sent.get("Enabled")
            if isinstance(password, str) and 0 < len(password.encode()) <= 20:
                slots[number].password = password.encode()
            elif "Password" in sent:
                raise Wrong(400, "PropertyValueFormatError", "Password needs 1 to 20 bytes")
            if isinstance(enabled, bool):
                slots[number].enabled = enabled
        return shown(request, show.account(self._controller, number))

    def _roles(self, request: Request) -> Response:
        path = f"{show.ACCOUNTS}/Roles"
        members = [f"{path}/{name}" for name in ("Administrator", "Operator", "ReadOnly")]
        return shown(request, show.collection(path, "RoleCollection", members))


def _session_document(path: str, user: str) -> show.Document:
    return show.resource(path, "#Session.v1_2_1.Session", "Session", {"UserName": user})
